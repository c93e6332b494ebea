<%doc>
Copies the state of a recurrent layer in or out.

state (directions, batch, padded)   outside: elements outside_direction and outside_batch apart, `hidden` of them
in: lanes past `hidden` become 0. out: a sequence without any step ends in zeros.
One item does `per_item` units; index space: (units / per_item, batch, directions).
Parameters: finish: out rather than in; lengths: C type of the sequences' lengths, "" if all are whole.
</%doc>
kernel void ${entry}(
% if finish:
    global const float* restrict state, global float* restrict outside,
% if lengths:
    global const ${lengths}* restrict lengths,
% endif
% else:
    global const float* restrict outside, global float* restrict state,
% endif
    int batch, int hidden, int padded, long outside_direction, long outside_batch, int per_item) {
  const int b = get_global_id(1);
  const long d = get_global_id(2);
  const long inner = (d * batch + b) * padded, outer = d * outside_direction + b * outside_batch;
  const int begin = get_global_id(0) * per_item;
% if finish:
  const int end = begin + min(per_item, hidden - begin);
  for (int j = begin; j < end; ++j) outside[outer + j] = ${"lengths[b] <= 0 ? 0.0f : " if lengths else ""}state[inner + j];
% else:
  const int end = begin + min(per_item, padded - begin);
  for (int j = begin; j < end; ++j) state[inner + j] = j < hidden ? outside[outer + j] : 0.0f;
% endif
}

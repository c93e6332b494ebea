<%doc>
y[offset + i * step] = value for i in 0..total - 1, of which one item does `chunk`.

value: the element's bits in the low bytes. Index space: (total / chunk).
Parameters: type: an unsigned integer of the element's size; width: vector lanes; past 1, step is 1.
</%doc>
<%namespace name="run" file="/movement/run.mako"/>
${run.vector_type(entry, type, width)}
kernel void ${entry}(
    global ${type}* restrict y, long offset, long step, ulong value, long total, long chunk) {
  const long begin = get_global_id(0) * chunk;
  const int count = min(chunk, total - begin);
  const ${type} element = (${type})value;
% if width == 1:
  for (int i = 0; i < count; ++i) y[offset + (begin + i) * step] = element;
% else:
  global ${type}* target = y + offset + begin;
  ${run.fill(entry, type, width, "target", "element", "count")}
% endif
}

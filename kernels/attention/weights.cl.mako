<%doc>
Scores of queries and keys become weights in place: scaled, bent, masked, softmax along the keys.

scores (batch, heads, queries, keys); a row is the keys of one query     shown: like scores, what of them is an output
mask   numbers to add, or whether to attend, for the first mask_keys keys, the others masked; mask_batch, mask_head
       and mask_query elements apart, 0 where it repeats     lengths (batch): keys that are there at all
A query at i attends to the keys place - left .. place + right with place = i + offset (lengths[b] - queries with lengths);
left and right as large as there are keys say nothing. A row without any key is zeros.
One item does `per_item` of the `rows` = batch * heads * queries rows; index space: (rows / per_item).
Parameters: type; width: lanes for the exponentials; mask: "", "add" or "choose"; lengths: whether there are some; softcap:
whether scores are bent; mode: what is shown, -1 nothing, 0 scaled, 1 bent, 2 masked, 3 weights.
</%doc>
<%!
  from clconv.lowering.model.ctext import load, store, vector_type
%>
<%
  V = vector_type(width, type)
%>
kernel __attribute__((vec_type_hint(${V}))) void ${entry}(
    global ${type}* restrict scores,
% if mask:
    global const ${type if mask == "add" else "uchar"}* restrict mask, int mask_keys, long mask_batch, long mask_head, long mask_query,
% endif
% if lengths:
    global const long* restrict lengths,
% endif
% if mode >= 0:
    global ${type}* restrict shown,
% endif
    int heads, int queries, int keys, ${type} scale, ${type} softcap, int offset, int left, int right, int rows, int per_item) {
  const int begin = get_global_id(0) * per_item, end = begin + min(per_item, rows - begin);
  for (int line = begin; line < end; ++line) {
    const int i = line % queries, head = line / queries % heads, b = line / queries / heads;
    global ${type}* row = scores + (size_t)line * keys;
% if mode >= 0:
    global ${type}* out = shown + (size_t)line * keys;
% endif
% if lengths:
    const long length = lengths[b];
    const long place = i + length - queries;
% else:
    const long length = keys;
    const long place = i + offset;
% endif
    const int first = (int)clamp(place - left, 0L, (long)keys);
    int stop = (int)clamp(place + right + 1, 0L, (long)keys);
    stop = stop < length ? stop : (int)(length > 0 ? length : 0);
% if mask:
    stop = min(stop, mask_keys);
    global const ${type if mask == "add" else "uchar"}* given = mask + b * mask_batch + head * mask_head + i * mask_query;
% endif
    ${type} top = -INFINITY;
    for (int j = 0; j < keys; ++j) {
      ${type} value = row[j] * scale;
% if mode == 0:
      out[j] = value;
% endif
% if softcap:
      value = softcap * tanh(value / softcap);
% endif
% if mode == 1:
      out[j] = value;
% endif
      const int inside = j >= first && j < stop;
% if mask == "add":
      value = inside ? value + given[j] : -INFINITY;
% elif mask == "choose":
      value = inside && given[j] ? value : -INFINITY;
% else:
      value = inside ? value : -INFINITY;
% endif
% if mode == 2:
      out[j] = value;
% endif
      row[j] = value;
      top = value > top || value != value ? value : top; // once NaN, for good
    }
    if (top == -INFINITY) {
      for (int j = 0; j < keys; ++j) row[j] = 0;
    } else {
      int j = 0;
      ${type} total = 0;
% if width > 1:
      ${V} sums = 0;
      for (; j + ${width - 1} < keys; j += ${width}) {
        const ${V} power = clconv_exp(${load(V, "row + j")} - top);
        ${store(V, "row + j")} = power;
        sums += power;
      }
% for lane in range(width):
      total += sums.s${"0123456789abcdef"[lane]};
% endfor
% endif
      for (; j < keys; ++j) {
        const ${type} power = exp(row[j] - top);
        row[j] = power;
        total += power;
      }
      const ${type} factor = 1 / total;
      for (j = 0; j < keys; ++j) row[j] *= factor;
    }
% if mode == 3:
    for (int j = 0; j < keys; ++j) out[j] = row[j];
% endif
  }
}

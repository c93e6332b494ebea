<%doc>
Packs a value that a run brings: elements that lie evenly apart become neighbours.

x       the value
rows    for each row of y (first, count): x[first], x[first + stride], ..., `count` of them, then zeros
y       rows of `width` elements
One work-item makes `per_item` rows of `total`, or, on GPUs, one of `total` elements. Index space: (total / per_item).
Parameters: width 1..64; by_row.
</%doc>
<%!
from clconv.lowering.model.ctext import assign, element, set_element, vector_type
%>
<%
  lanes = max(l for l in (1, 2, 4, 8, 16) if width % l == 0)
  V = vector_type(lanes)
%>
kernel void ${entry}(
    global const ${stored("x")}* restrict x, global const int* restrict rows, global ${stored("y")}* restrict y,
    int total, int stride, int per_item) {
% if by_row:
  const int begin = get_global_id(0) * per_item;
  const int end = begin + min(per_item, total - begin);
  for (int row = begin; row < end; ++row) {
    global const ${stored("x")}* source = x + rows[2 * row];
    const int count = rows[2 * row + 1];
    global ${stored("y")}* target = y + (size_t)row * ${width};
    if (count == ${width}) {
% for first in range(0, width, lanes):
      const ${V} v${first} = ${"(%s)(%s)" % (V, ", ".join(element("source", "(size_t)%d * stride" % (first + lane), stored("x")) for lane in range(lanes)))};
% endfor
% for first in range(0, width, lanes):
      ${assign(V, "target + %d" % first, "v%d" % first, stored("y"))}
% endfor
    } else {
      for (int lane = 0; lane < ${width}; ++lane) {
        const float value = lane < count ? ${element("source", "(size_t)lane * stride", stored("x"))} : 0.0f;
        ${set_element("target", "lane", "value", stored("y"))}
      }
    }
  }
% else:
  const int place = get_global_id(0);
  if (place >= total) return;
  const int row = place / ${width}, lane = place - row * ${width};
  const float value = lane < rows[2 * row + 1] ? ${element("x", "rows[2 * row] + (size_t)lane * stride", stored("x"))} : 0.0f;
  ${set_element("y", "place", "value", stored("y"))}
% endif
}

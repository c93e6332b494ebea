<%doc>
Adds the partial sums of a weight gradient, in their order.

parts (splits, total)    dw (total)
One work-item makes `per_item` elements, on CPUs a multiple of 16. Index space: (total / per_item).
Parameters: lanes: elements summed at once, on GPUs so few that there are many items, whose loads lie side by side.
</%doc>
<%!
from clconv.lowering.model.ctext import assign, load, set_element
%>
<%
  V = "float%d" % lanes
%>\
kernel __attribute__((vec_type_hint(${V}))) void ${entry}(
    global const float* restrict parts, global ${stored("dw")}* restrict dw, int splits, int total, int per_item) {
  const int begin = get_global_id(0) * per_item, end = min(begin + per_item, total);
  int at = begin;
  for (; at + ${lanes} <= end; at += ${lanes}) {
    ${V} sum = ${load(V, "parts + at")};
% if lanes == 4:
    #pragma unroll 4
% endif
    for (int split = 1; split < splits; ++split)
      sum += ${load(V, "parts + (size_t)split * total + at")};
    ${assign(V, "dw + at", "sum", stored("dw"))}
  }
  for (; at < end; ++at) {
    float sum = parts[at];
    for (int split = 1; split < splits; ++split) sum += parts[(size_t)split * total + at];
    ${set_element("dw", "at", "sum", stored("dw"))}
  }
}

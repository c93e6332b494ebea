<%doc>
Softmax, its logarithm, or 1 at the first largest element and 0 elsewhere, along the middle axis of x
(outer, n, inner), by definition.

One work-item computes `per_item` lines along the axis. Index space: (outer * inner / per_item).
Parameters: op: Softmax, LogSoftmax or Hardmax; type: C type, float or double.
</%doc>
<%!
from clconv.lowering.model.ctext import element, set_element
%>\
kernel void ${entry}(
    global const ${stored("x", type)}* restrict x, global ${stored("y", type)}* restrict y, long n, long inner, long total, long per_item) {
  const long begin = get_global_id(0) * per_item;
  const long end = begin + per_item < total ? begin + per_item : total;
  for (long line = begin; line < end; ++line) {
    const long from = line / inner * n * inner + line % inner;
    global const ${stored("x", type)}* source = x + from;
    global ${stored("y", type)}* target = y + from;
    long at = 0;
    ${type} top = ${element("source", "0", stored("x"))};
    for (long k = 1; k < n; ++k) {
      const ${type} v = ${element("source", "k * inner", stored("x"))};
      if (v > top || (v != v && top == top)) { top = v; at = k; }
    }
% if op == "Hardmax":
    for (long k = 0; k < n; ++k) ${set_element("target", "k * inner", "k == at", stored("y"))}
% else:
    ${type} sum = 0;
    for (long k = 0; k < n; ++k) sum += exp(${element("source", "k * inner", stored("x"))} - top);
    for (long k = 0; k < n; ++k) {
      const ${type} shifted = ${element("source", "k * inner", stored("x"))} - top;
      ${set_element("target", "k * inner", "shifted - log(sum)" if op == "LogSoftmax" else "exp(shifted) / sum", stored("y"))}
    }
% endif
  }
}

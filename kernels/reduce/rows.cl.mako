<%doc>
Reduction of the last axis of float x (outer, n) to y (outer).

One work-item reduces `rows` rows, vector by vector and then lane by lane. Index space: (outer / rows).
Parameters: width of the vectors, at least 2; op: the reduction; top: the reduction whose result op
subtracts, or None.
</%doc>
<%namespace name="reduce" file="/reduce.mako"/>
<%!
from clconv.lowering.model.ctext import set_element
%>\
kernel void ${entry}(
    global const ${stored("x")}* restrict x, global ${stored("y")}* restrict y, int outer, int n, int rows) {
  const int end = (int)get_global_id(0) * rows + min(rows, outer - (int)get_global_id(0) * rows);
  const int vectors = n / ${width};
  for (int row = get_global_id(0) * rows; row < end; ++row) {
    global const ${stored("x")}* source = x + (size_t)row * n;
% if top is not None:
    ${reduce.accumulate_row(top, "top", width)}
    top = ${op.text("shift", "float")};
% endif
    ${reduce.accumulate_row(op, "total", width, ("top",) if top is not None else ())}
    ${set_element("y", "row", op.text("finish", "float", a="total"), stored("y"))}
  }
}

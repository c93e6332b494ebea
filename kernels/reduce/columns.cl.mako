<%doc>
Reduction of the middle axis of float x (outer, n, inner) to y (outer, inner); with n in front of it, pixels
of channel blocks: (N * blocks, pixels, block).

One work-item reduces `rows` outer indices by `columns` inner ones. Index space: (inner / columns,
outer / rows). Parameters: width of the vectors; op: the reduction; top: the reduction whose result op
subtracts, or None.
</%doc>
<%namespace name="reduce" file="/reduce.mako"/>
<%!
from clconv.lowering.model.ctext import assign, vector_type
%>
<%def name="column(vector)">
      global const ${stored("x")}* source = x + (size_t)row * n * inner + c;
% if top is not None:
      ${reduce.accumulate(top, "top", vector, "source", "inner", "n")}
      top = ${op.text("shift", vector)};
% endif
      ${reduce.accumulate(op, "total", vector, "source", "inner", "n")}
      ${assign(vector, "y + (size_t)row * inner + c", op.text("finish", vector, a="total"), stored("y"))}
</%def>
kernel void ${entry}(
    global const ${stored("x")}* restrict x, global ${stored("y")}* restrict y, int outer, int n, int inner, int rows,
    int columns) {
  const int begin = get_global_id(0) * columns;
  const int end = begin + min(columns, inner - begin);
  const int row_end = (int)get_global_id(1) * rows + min(rows, outer - (int)get_global_id(1) * rows);
  for (int row = get_global_id(1) * rows; row < row_end; ++row) {
    int c = begin;
    for (; c + ${width} <= end; c += ${width}) {
      ${column(vector_type(width))}
    }
% if width > 1:
    for (; c < end; ++c) {
      ${column("float")}
    }
% endif
  }
}

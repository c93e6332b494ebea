<%doc>
Adds the partial sums that a split matrix product leaves, and finishes it.

parts (splits, total)    y (total) = (batch, rows, columns)    c: see gemm/finish
One work-item makes one element. Index space: (total rounded up).
Parameters: scaled, addend, addend_columns: see gemm/finish; epilogue.
</%doc>
<%namespace name="after" file="/gemm/finish.mako"/>
<%!
from clconv.lowering.model.ctext import set_element
%>\
kernel void ${entry}(
    global const float* restrict parts, global ${stored("y")}* restrict y, int total, int rows, int columns,
    int splits${after.parameters(scaled, addend, epilogue_names)}) {
  const int at = get_global_id(0);
  if (at >= total) return;
  const int column = at % columns;
  const int row = at / columns % rows;
  float sum = 0;
  for (int split = 0; split < splits; ++split) sum += parts[(size_t)split * total + at];
  ${after.finish("sum", "float", "row", "column", "at", scaled, addend, addend_columns, epilogue)}
  ${set_element("y", "at", "sum", stored("y"))}
}

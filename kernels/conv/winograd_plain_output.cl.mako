<%doc>
Output transform of Winograd's convolution on plain tensors:  y = A' M A for every m x m tile,
then bias and epilogue.

product (n * n, F, tiles)     bias (F)     y (N, F, OH, OW)
One work-item makes one tile of one filter. Index space: (tiles rounded up, F).
Parameters: m; transform: A' as rows; bias; epilogue.
</%doc>
<%namespace name="common" file="/common.mako"/>
<%namespace name="linear" file="/conv/linear.mako"/>
<%!
from clconv.lowering.ctext import element, set_element
%>\
<%
  n = len(transform[0])
%>
kernel void ${entry}(
    global const float* restrict product,
% if bias:
    global const ${stored("bias")}* restrict bias,
% endif
    global ${stored("y")}* restrict y, int filters, int out_height, int out_width, int batch, int tile_rows,
    int tile_columns, int tiles${common.epilogue_parameters(epilogue_names)}) {
  const int t = get_global_id(0);
  const int f = get_global_id(1);
  const int image = t / (tile_rows * tile_columns);
  if (image >= batch) return;
  const int row = t / tile_columns - image * tile_rows;
  const int column = t % tile_columns;
  float half_done[${m}][${n}];
% for j in range(n):
  {
% for i in range(n):
    const float c${i} = product[((size_t)${i * n + j} * filters + f) * tiles + t];
% endfor
% for i in range(m):
    half_done[${i}][${j}] = ${linear.combination(transform[i], "c")};
% endfor
  }
% endfor
  const float offset = ${element("bias", "f", stored("bias")) if bias else "0"};
  const size_t plane = ((size_t)image * filters + f) * out_height;
% for i in range(m):
  if (row * ${m} + ${i} < out_height) {
% for j in range(n):
    const float r${j} = half_done[${i}][${j}];
% endfor
    const size_t at = (plane + row * ${m} + ${i}) * out_width + column * ${m};
% for j in range(m):
    if (column * ${m} + ${j} < out_width) {
      float value = ${linear.combination(transform[j], "r")} + offset;
      ${common.apply_epilogue(epilogue, "value", "float", "f", "at + %d" % j)}
      ${set_element("y", "at + %d" % j, "value", stored("y"))}
    }
% endfor
  }
% endfor
}

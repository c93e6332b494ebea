<%doc>
Output transform of Winograd's convolution on plain tensors:  y = A' M A for every m x m tile,
then bias and epilogue.

product (n * n, F, tiles)     bias (F)     y (N, F, OH, OW)
One work-item makes one tile of one filter. Index space: (tiles rounded up, F).
Parameters: m; transform: A' as rows; width: pixels of a store, of which m and the rows of y are multiples; bias;
epilogue.
</%doc>
<%namespace name="common" file="/common.mako"/>
<%namespace name="linear" file="/conv/linear.mako"/>
<%!
from clconv.lowering.ctext import assign, element, vector_type
%>\
<%
  n = len(transform[0])
  V = vector_type(width)
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
  global const float* from = product + (size_t)f * tiles + t;
  const size_t position = (size_t)filters * tiles;
  float half_done[${m}][${n}];
% for j in range(n):
  {
% for i in range(n):
    const float c${i} = from[${i * n + j} * position];
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
% for j in range(0, m, width):
    if (column * ${m} + ${j} < out_width) {
<%
  values = ["%s + offset" % capture(linear.combination, transform[j + lane], "r").strip() for lane in range(width)]
%>
      ${V} value = (${V})(${", ".join(values)});
      ${common.apply_epilogue(epilogue, "value", V, "f", "at + %d" % j, one_channel=True, aligned=True)}
      ${assign(V, "y + at + %d" % j, "value", stored("y"), True)}
    }
% endfor
  }
% endfor
}

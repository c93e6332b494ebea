<%doc>
Output transform of Winograd's convolution on plain tensors:  y = A' M A for every m x m tile,
then bias and epilogue.

product (n * n, F, tiles)     bias (F)     y (N, F, OH, OW)
One work-item makes one tile of one filter. Index space: (tiles rounded up, F).
Parameters: m; transform: A' as rows; width: pixels of a store, of which m and the rows of y are multiples; bias;
epilogue.
</%doc>
<%namespace name="common" file="/common.mako"/>
<%namespace name="tile" file="/conv/winograd_tile.mako"/>
<%!
from clconv.lowering.model.ctext import element
%>\
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
  const float offset = ${element("bias", "f", stored("bias")) if bias else "0"};
  const size_t plane = ((size_t)image * filters + f) * out_height;
  ${tile.results(transform, width, lambda at: "from[%d * position]" % at, epilogue)}
}

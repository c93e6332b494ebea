<%doc>
Input transform of Winograd's convolution on plain tensors:  V = B' d B for every n x n tile.

x (N, C, H, W)     v (n * n, C, tiles): neighbouring work-items write neighbouring tiles
One work-item transforms one tile of one channel. Index space: (tiles rounded up, C).
Parameters: m; transform: B' as rows; pad_mode none, constant, reflect, edge, wrap. Pixels past the padded
image count as zeros; tiles past the last hold anything finite or not, which no result depends on.
</%doc>
<%namespace name="linear" file="/conv/linear.mako"/>
<%namespace name="tile" file="/conv/winograd_tile.mako"/>
<%!
from clconv.lowering.model.ctext import element
%>\
<%
  n = len(transform)
%>
kernel void ${entry}(
    global const ${stored("x")}* restrict x, global float* restrict v, int channels, int height, int width,
    int pad_top, int pad_left, int padded_height, int padded_width, int batch, int tile_rows,
    int tile_columns, int tiles) {
  const int t = get_global_id(0);
  const int c = get_global_id(1);
  if (t >= tiles) return;
  const int image = min(t / (tile_rows * tile_columns), batch - 1);  // past the last, tiles that nobody reads
  const int tile_row = t / tile_columns - image * tile_rows;
  const int top = tile_row * ${m} - pad_top, left = t % tile_columns * ${m} - pad_left;
  global const ${stored("x")}* plane = x + ((size_t)image * channels + c) * height * width;
  ${tile.edges(n, pad_mode)}
  float d[${n}][${n}];
% for i in range(n):
  {
    global const ${stored("x")}* line = plane + row${i} * width;
% for j in range(n):
    d[${i}][${j}] = as_float(as_int(${element("line", "column%d" % j, stored("x"))}) & row_mask${i} & column_mask${j});
% endfor
  }
% endfor
  ${tile.columns_transformed(transform)}
  global float* to = v + (size_t)c * tiles + t;
  const size_t position = (size_t)channels * tiles;
% for i in range(n):
  {
% for j in range(n):
    const float r${j} = d[${i}][${j}];
% endfor
% for j in range(n):
    *to = ${linear.combination(transform[j], "r")};
    to += position;
% endfor
  }
% endfor
}

<%doc>
Input transform of Winograd's convolution on plain tensors:  V = B' d B for every n x n tile.

x (N, C, H, W)     v (n * n, C, tiles): neighbouring work-items write neighbouring tiles
One work-item transforms one tile of one channel. Index space: (tiles rounded up, C).
Parameters: m; transform: B' as rows; pad_mode none, constant, reflect, edge, wrap. Pixels past the padded
image, and tiles past the last, count as zeros.
</%doc>
<%namespace name="common" file="/common.mako"/>
<%namespace name="linear" file="/conv/linear.mako"/>
<%!
from clconv.lowering.ctext import element
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
  const int image = t / (tile_rows * tile_columns);
  const int row = t / tile_columns - image * tile_rows;
  const int column = t % tile_columns;
  const int top = row * ${m} - pad_top, left = column * ${m} - pad_left;
  global const ${stored("x")}* plane = x + ((size_t)image * channels + c) * height * width;
  float d[${n}][${n}];
% for i in range(n):
  {
    int ih = top + ${i};
% if pad_mode in ("none", "constant"):
    const int outside_row = image >= batch || ih < 0 || ih >= height;
% else:
    const int outside_row = image >= batch || ih + pad_top >= padded_height;
    ih = ${common.padded_index(pad_mode, "ih", "height")};
% endif
% for j in range(n):
    {
      int iw = left + ${j};
% if pad_mode in ("none", "constant"):
      const int outside = outside_row || iw < 0 || iw >= width;
% else:
      const int outside = outside_row || iw + pad_left >= padded_width;
      iw = ${common.padded_index(pad_mode, "iw", "width")};
% endif
      d[${i}][${j}] = outside ? 0 : ${element("plane", "ih * width + iw", stored("x"))};
    }
% endfor
  }
% endfor
% for j in range(n):
  {
% for i in range(n):
    const float c${i} = d[${i}][${j}];
% endfor
% for i in range(n):
    d[${i}][${j}] = ${linear.combination(transform[i], "c")};
% endfor
  }
% endfor
% for i in range(n):
  {
% for j in range(n):
    const float r${j} = d[${i}][${j}];
% endfor
% for j in range(n):
    v[((size_t)${i * n + j} * channels + c) * tiles + t] = ${linear.combination(transform[j], "r")};
% endfor
  }
% endfor
}

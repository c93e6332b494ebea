<%doc>
Input transform of Winograd's convolution F(m x m, r x r): V = B' d B for every n x n tile d.
(Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2015)

x (N, C / block, H, W, block)
v (tile blocks, n * n, C / block, tiles, block), with `skew` more floats behind every position; tiles are
  counted along rows of an image, then down, then over images; this launch does first_tile.. of them.
One work-item transforms one channel block of one block of tiles. Index space: (C / block, tile blocks): a
core keeps its tiles.

Parameters: block; skew; transform: B' as rows; step: pixels from one tile to the next; pad_mode none, constant, reflect, edge, wrap.
Pixels past the padded image, which only pad out the last tiles, count as zeros.
</%doc>
<%namespace name="common" file="/common.mako"/>
<%namespace name="linear" file="/conv/linear.mako"/>
<%!
from clconv.lowering.model.ctext import load, store, vector_type
%>
<%
  V = vector_type(block)
  n = len(transform)
%>
kernel __attribute__((vec_type_hint(${V}))) void ${entry}(
    global const ${stored("x")}* restrict x, global float* restrict v, int height, int width, int pad_top,
    int pad_left, int padded_height, int padded_width, int tile_rows, int tile_columns, int tiles, int first_tile,
    int all_tiles) {
  const int chunk = get_global_id(0);
  const int blocks = get_global_size(0);
  const int begin = first_tile + get_global_id(1) * tiles;
  const int end = min(begin + tiles, all_tiles);
  const size_t position = (size_t)blocks * tiles * ${block} + ${skew};
  global float* target = v + get_global_id(1) * ${n * n} * position + (size_t)chunk * tiles * ${block};
  const int image_tiles = tile_rows * tile_columns;
  for (int t = begin; t < end; ++t, target += ${block}) {
    const int image = t / image_tiles;
    const int row = (t - image * image_tiles) / tile_columns;
    const int column = t - image * image_tiles - row * tile_columns;
    const int top = row * ${step} - pad_top, left = column * ${step} - pad_left;
    global const ${stored("x")}* plane = x + ((size_t)image * blocks + chunk) * height * width * ${block};
    ${V} d[${n}][${n}];
    if (top >= 0 && left >= 0 && top + ${n} <= height && left + ${n} <= width) {
      global const ${stored("x")}* source = plane + ((size_t)top * width + left) * ${block};
% for i in range(n):
% for j in range(n):
      d[${i}][${j}] = ${load(V, "source + %d * width * %d + %d" % (i, block, j * block), stored("x"))};
% endfor
% endfor
    } else {
      for (int i = 0; i < ${n}; ++i)
        for (int j = 0; j < ${n}; ++j) {
          int ih = top + i, iw = left + j;
% if pad_mode in ("none", "constant"):
          const int outside = ih < 0 || ih >= height || iw < 0 || iw >= width;
% else:
          const int outside = ih + pad_top >= padded_height || iw + pad_left >= padded_width;
          if (!outside) {
            ih = ${common.padded_index(pad_mode, "ih", "height")};
            iw = ${common.padded_index(pad_mode, "iw", "width")};
          }
% endif
          if (outside) d[i][j] = (${V})(0);
          else d[i][j] = ${load(V, "plane + ((size_t)ih * width + iw) * %d" % block, stored("x"))};
        }
    }
    // Columns first: d = B' d, then each row: V = d B.
    for (int j = 0; j < ${n}; ++j) {
% for i in range(n):
      const ${V} c${i} = d[${i}][j];
% endfor
% for i in range(n):
      d[${i}][j] = ${linear.combination(transform[i], "c")};
% endfor
    }
    for (int i = 0; i < ${n}; ++i) {
% for j in range(n):
      const ${V} r${j} = d[i][${j}];
% endfor
% for j in range(n):
      ${store(V, "target + (i * %d + %d) * position" % (n, j))} = ${linear.combination(transform[j], "r")};
% endfor
    }
  }
}

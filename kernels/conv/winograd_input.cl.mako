<%doc>
Input transform of Winograd's convolution F(m x m, r x r): V = B' d B for every n x n tile d.
(Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2015)

x (N, C / block, H, W, block)
v (tile blocks, n * n, C / block, tiles, block), with `skew` more floats behind every position; tiles are
  counted along rows of an image, then down, then over images; this launch does first_tile.. of them.
One work-item transforms one channel block of one block of tiles. Index space: (C / block, tile blocks): a
core keeps its tiles.

Parameters: block; skew; transform: B' as rows; step: pixels from one tile to the next; pad_mode none, constant, reflect, edge, wrap;
streamed: whether v is written past the caches.
Pixels past the padded image, which only pad out the last tiles, count as zeros.
</%doc>
<%namespace name="vectors" file="/conv/winograd_vectors.mako"/>
<%!
from clconv.lowering.model.ctext import vector_type
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
% if stored("x") == "float":
    ${vectors.read_transformed(transform, block, "x", "plane", "height", "width", pad_mode, streamed)}
% else:
    ${vectors.read(n, block, "x", "plane", "height", "width", pad_mode)}
    ${vectors.transformed(transform, block)}
% endif
  }
  // The rest of the last block is multiplied, too, for nothing: what bytes lie there may be denormal floats, which take many
  // times as long.
  for (int t = end; t < begin + tiles; ++t, target += ${block})
    for (int i = 0; i < ${n * n}; ++i) *(global ${V}*)(target + i * position) = (${V})(0);
% if streamed:
  __builtin_ia32_sfence();  // what is written so comes in any order, also behind the news that it is done
% endif
}

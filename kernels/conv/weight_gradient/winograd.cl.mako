<%doc>
Winograd's weight gradient of a 3x3 window, stride 1, on channel blocks, for CPUs: with F(m x m, r x r), y = A' [(G g G') * (B' d B)] A,
  dw = G' [sum over tiles of (A dy A') * (B' x B)] G

x, dy (N, G, channels / block, H, W, block)    parts (splits, G, F, C, r, r): sums over `share` tiles each; F, C of a group
v (items, n * n, C / block, tiles, block), w (items, n * n, filters of an item, tiles, block): transformed, with 16 more floats
behind each position; sums (items, C / block, groups of filters, block, r * r, OB) where an item takes more than `tiles` tiles.
One work-item computes `some_blocks` vectors of filters over its tiles, `tiles` at a time: transforms them, multiplies OB =
vectors * block filters with `block` channels, transforms back. `panel` groups of OB filters pass all channels together: their
transformed tiles stay in the cache. No local memory, no barrier. Index space: (F / (some_blocks * block), splits, G).

Parameters: block; vectors, lanes: the register tile, lanes a divisor of block; input B', gradient A, output G' as rows; pad_mode.
</%doc>
<%namespace name="linear" file="/conv/linear.mako"/>
<%namespace name="tile" file="/conv/winograd_vectors.mako"/>
<%!
from clconv.lowering.model.ctext import load, set_element, store, vector_type
%>
<%
  V = vector_type(block)
  n, m, r = len(input), len(gradient[0]), len(output)
  OB = vectors * block
  SKEW = 16
  transforms = (
      ("x", "v", "in_blocks", "height", "width", ("pad_top", "pad_left"), "in_blocks + b", input, pad_mode),
      ("dy", "w", "groups * %d" % vectors, "out_height", "out_width", ("0", "0"),
       "out_blocks + min(first_block + b, out_blocks - 1)", gradient, "none"),
  )
%>
kernel __attribute__((vec_type_hint(${V}))) void ${entry}(
    global const ${stored("x")}* restrict x, global const ${stored("dy")}* restrict dy, global float* restrict v,
    global float* restrict w, global float* restrict sums, global ${stored("parts")}* restrict parts, int height, int width,
    int pad_top, int pad_left, int padded_height, int padded_width, int out_height, int out_width, int channels, int filters,
    int tile_rows, int tile_columns, int all_tiles, int share, int tiles, int some_blocks, int panel) {
  const int split = get_global_id(1);
  const size_t conv = get_global_id(2), convs = get_global_size(2);
  const size_t item = (conv * get_global_size(1) + split) * get_global_size(0) + get_global_id(0);
  const int in_blocks = (channels + ${block - 1}) / ${block}, out_blocks = (filters + ${block - 1}) / ${block};
  const int first_block = get_global_id(0) * some_blocks;
  const int groups = (min(some_blocks, out_blocks - first_block) + ${vectors - 1}) / ${vectors};
  const size_t v_position = (size_t)in_blocks * tiles * ${block} + ${SKEW};
  const size_t w_position = (size_t)some_blocks * tiles * ${block} + ${SKEW};
  global float* own_v = v + item * ${n * n} * v_position;
  global float* own_w = w + item * ${n * n} * w_position;
  const size_t set = ${block * r * r * OB};
  const size_t all_groups = some_blocks / ${vectors};
  global float* own_sums = sums + (share > tiles ? item * in_blocks * all_groups * set : 0);
  const int image_tiles = tile_rows * tile_columns;
  const int begin = split * share, end = min(begin + share, all_tiles);
  float product[${n * n * block * OB}] __attribute__((aligned(64)));
  float done[${block * r * r * OB}] __attribute__((aligned(64)));
  for (int first = begin; first < end; first += tiles) {
    const int count = min(tiles, end - first);
% for name, to, size, height, width, pads, chunk, matrix, pad in transforms:
    for (int b = 0; b < ${size}; ++b)
      for (int t = 0; t < count; ++t) {
        const int image = (first + t) / image_tiles;
        const int row = (first + t - image * image_tiles) / tile_columns;
        const int column = first + t - image * image_tiles - row * tile_columns;
        const int top = row * ${m} - ${pads[0]}, left = column * ${m} - ${pads[1]};
        const size_t chunk = (image * convs + conv) * ${chunk};
        global const ${stored(name)}* plane = ${name} + chunk * ${height} * ${width} * ${block};
        const size_t position = ${to}_position;
        global float* target = own_${to} + ((size_t)b * tiles + t) * ${block};
        ${V} d[${n}][${len(matrix[0])}];
        ${tile.read(len(matrix[0]), block, name, "plane", height, width, pad)}
        ${tile.transformed(matrix, block)}
      }
% endfor
    for (int from = 0; from < groups; from += panel)
    for (int b = 0; b < in_blocks; ++b)
    for (int g = from; g < min(from + panel, groups); ++g) {
      const int used = min(${block}, channels - b * ${block});
      for (int position = 0; position < ${n * n}; ++position)
        for (int lane = 0; lane < used; lane += ${lanes}) {
          global const float* pixel = own_v + position * v_position + (size_t)b * tiles * ${block} + lane;
          global const float* change = own_w + position * w_position + (size_t)g * tiles * ${OB};
% for c in range(lanes):
          ${V} ${", ".join("a%d_%d = (%s)(0)" % (c, k, V) for k in range(vectors))};
% endfor
          for (int t = 0; t < count; ++t, pixel += ${block}, change += ${block}) {
% for k in range(vectors):
            const ${V} g${k} = ${load(V, "change + %d * tiles * %d" % (k, block))};
% endfor
% for c in range(lanes):
            { const float s = pixel[${c}];
% for k in range(vectors):
              a${c}_${k} = s * g${k} + a${c}_${k};
% endfor
            }
% endfor
          }
% for c in range(lanes):
% for k in range(vectors):
          *(private ${V}*)(product + (position * ${block} + lane + ${c}) * ${OB} + ${k * block}) = a${c}_${k};
% endfor
% endfor
        }
      global float* sum = own_sums + (share > tiles ? (b * all_groups + g) * set : 0);
      for (int lane = 0; lane < used; ++lane)
        for (int k = 0; k < ${OB}; k += ${block}) {
          private const float* at = product + lane * ${OB} + k;
          ${V} half_done[${r}][${n}];
          for (int j = 0; j < ${n}; ++j) {
% for i in range(n):
            const ${V} c${i} = *(private const ${V}*)(at + (${i * n} + j) * ${block * OB});
% endfor
% for i in range(r):
            half_done[${i}][j] = ${linear.combination(output[i], "c")};
% endfor
          }
          for (int i = 0; i < ${r}; ++i) {
% for j in range(n):
            const ${V} r${j} = half_done[i][${j}];
% endfor
% for j in range(r):
            {
              const int place = ((lane * ${r} + i) * ${r} + ${j}) * ${OB} + k;
              ${V} value = ${linear.combination(output[j], "r")};
              if (first > begin) value += ${load(V, "sum + place")};
              if (first + tiles < end) ${store(V, "sum + place")} = value;
              *(private ${V}*)(done + place) = value;
            }
% endfor
          }
        }
      if (first + tiles < end) continue;
      // From (channels, r, r, filters) to (filters, channels, r, r).
      const int filter = (first_block + g * ${vectors}) * ${block};
      for (int f = 0; f < min(${OB}, filters - filter); ++f) {
        global ${stored("parts")}* to = parts + (((split * convs + conv) * filters + filter + f) * channels + b * ${block}) * ${r * r};
        for (int i = 0; i < used * ${r * r}; ++i)
          ${set_element("to", "i", "done[i * %d + f]" % OB, stored("parts"))}
      }
    }
  }
}

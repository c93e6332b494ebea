<%doc>
The gradient of a convolution's filters on channel blocks, for CPUs: vectors x lanes x taps accumulators in registers.

  dw[f, c, k] = sum over n, o of dy[n, f, o] * x[n, c, o * S + k * D - P]

x      (N, group, C / IB, H, W, IB): channel blocks, or plain with IB = 1
dy     (N, group, F / block, OH, OW, block)
parts  (splits, group * F, C, KH, KW): sums over `share` tiles each
A tile is up to `rows` x `columns` result pixels of one image. One work-item computes OB = vectors * block filters and
`blocks` channel blocks over its tiles: for each tile and channel block the part of the image is copied with its padding
(not where there is none to add), then some taps of some lanes go over all pixels with their sums in registers.
No local memory, no barrier. Index space: (C / (blocks * IB), F / OB, group * splits): neighbours read the same pixels.

channels, filters: a group's. merged: so many groups of the convolution are one here; what one has of another's is left out.
Parameters: block 4, 8, 16; in_block; copies: whether the image is copied; vectors, lanes: the register tile, lanes a divisor
of in_block; tap_sets: which taps, (kh, kw), are summed together; blocks; image_size: floats of the copy; kernel, strides, dilations; pad_mode none, constant, reflect, edge, wrap; merged.
</%doc>
<%namespace name="pieces" file="/conv/image.mako"/>
<%!
from clconv.lowering.model.ctext import load, set_element, vector_type
%>
<%
  V = vector_type(block)
  KH, KW = kernel
  SH, SW = strides
  DH, DW = dilations
  OB = vectors * block
  lane_groups = in_block // lanes
  set_size = KH * KW * lanes * OB
  space = "private" if copies else "global"
%>
kernel __attribute__((vec_type_hint(${V}))) void ${entry}(
    global const ${stored("x")}* restrict x, global const ${stored("dy")}* restrict dy, global ${stored("parts")}* restrict parts,
    int height, int width, int out_height, int out_width, int pad_top, int pad_left, int batch, int channels,
    int filters, int groups, int rows, int columns, int share) {
% if copies:
  float image[${image_size}] __attribute__((aligned(64)));
% endif
  float sums[${blocks * lane_groups * set_size}] __attribute__((aligned(64)));
  const int first_block = get_global_id(0) * ${blocks};
  const int g = get_global_id(2) % groups;
  const int split = get_global_id(2) / groups;
  const int in_blocks = (channels + ${in_block - 1}) / ${in_block};
  const int some_blocks = min(${blocks}, in_blocks - first_block);
  const int out_blocks = (filters + ${block - 1}) / ${block};
  const int out_block = get_global_id(1) * ${vectors};
  const int out_pixels = out_height * out_width;
  const int tiles_across = (out_width + columns - 1) / columns;
  const int tiles = (out_height + rows - 1) / rows * tiles_across;
  const int tile_end = min((split + 1) * share, batch * tiles);
  for (int i = 0; i < ${blocks * lane_groups * set_size}; i += ${block})
    *(private ${V}*)(sums + i) = (${V})(0);
  for (int tile = split * share; tile < tile_end; ++tile) {
    const int n = tile / tiles;
    const int down = (tile - n * tiles) / tiles_across;
    const int oh = down * rows;
    const int ow = (tile - n * tiles - down * tiles_across) * columns;
    const int some_rows = min(rows, out_height - oh), some_columns = min(columns, out_width - ow);
    const size_t plane = (size_t)n * groups + g;
% for v in range(vectors):
    global const ${stored("dy")}* from${v} = dy
        + ((plane * out_blocks + min(out_block + ${v}, out_blocks - 1)) * out_pixels + oh * out_width + ow) * ${block};
% endfor
    for (int b = 0; b < some_blocks; ++b) {
      const int used = min(${in_block}, channels - (first_block + b) * ${in_block});
      global const ${stored("x")}* source = x + (plane * in_blocks + first_block + b) * height * width * ${in_block};
% if copies:
      const int pitch = (some_columns - 1) * ${SW} + ${(KW - 1) * DW + 1};
      ${pieces.copy()}
      private const float* corner = image;
% else:
      const int pitch = width;
      global const float* corner = source + ((oh * ${SH} - pad_top) * width + ow * ${SW} - pad_left) * ${in_block};
% endif
      for (int lane = 0; lane < used; lane += ${lanes}) {
        private float* set = sums + (b * ${lane_groups} + lane / ${lanes}) * ${set_size};
% for taps in tap_sets:
        {
% for kh, kw in taps:
% for c in range(lanes):
% for v in range(vectors):
          ${V} a${kh}_${kw}_${c}_${v} = *(private const ${V}*)(set + ${((kh * KW + kw) * lanes + c) * OB + v * block});
% endfor
% endfor
% endfor
          for (int r = 0; r < some_rows; ++r) {
% for kh in sorted({kh for kh, _ in taps}):
            ${space} const float* line${kh} = corner + (r * ${SH} + ${kh * DH}) * pitch * ${in_block} + lane;
% endfor
% for v in range(vectors):
            global const ${stored("dy")}* d${v} = from${v} + r * out_width * ${block};
% endfor
            for (int p = 0; p < some_columns; ++p) {
% for v in range(vectors):
              const ${V} g${v} = ${load(V, "d%d + p * %d" % (v, block), stored("dy"))};
% endfor
% for kh, kw in taps:
% for c in range(lanes):
              { const float s = line${kh}[p * ${SW * in_block} + ${kw * DW * in_block + c}];
% for v in range(vectors):
                a${kh}_${kw}_${c}_${v} = s * g${v} + a${kh}_${kw}_${c}_${v};
% endfor
              }
% endfor
% endfor
            }
          }
% for kh, kw in taps:
% for c in range(lanes):
% for v in range(vectors):
          *(private ${V}*)(set + ${((kh * KW + kw) * lanes + c) * OB + v * block}) = a${kh}_${kw}_${c}_${v};
% endfor
% endfor
% endfor
        }
% endfor
      }
    }
  }
  // From (block, lanes / L, kh, kw, L, filters) to (filters, channels, kh, kw).
  const int own_channels = channels / ${merged}, own_filters = filters / ${merged};
  const int end = min(${OB}, filters - out_block * ${block});
  for (int f = 0; f < end; ++f) {
    const int filter = out_block * ${block} + f;
    const int begin_c = filter / own_filters * own_channels;
    const int first_c = max(begin_c, first_block * ${in_block});
    const int end_c = min(begin_c + own_channels, min(channels, (first_block + ${blocks}) * ${in_block}));
    global ${stored("parts")}* to = parts + (((size_t)split * groups + g) * filters + filter) * own_channels * ${KH * KW};
    for (int c = first_c; c < end_c; ++c) {
      const int place = c - first_block * ${in_block};
      private const float* sum = sums + (place / ${in_block} * ${lane_groups} + place % ${in_block} / ${lanes}) * ${set_size}
          + place % ${lanes} * ${OB} + f;
      for (int k = 0; k < ${KH * KW}; ++k)
        ${set_element("to", "(c - begin_c) * %d + k" % (KH * KW), "sum[k * %d]" % (lanes * OB), stored("parts"))}
    }
  }
}

<%doc>
The gradient of a depthwise convolution's filters on channel blocks, for CPUs: a vector of channels for each tap.

  dw[c, k] = sum over n, o of dy[n, c, o] * x[n, c, o * S + k * D - P]

x (N, C / block, H, W, block)   dy (N, C / block, OH, OW, block)   parts (splits, C, KH, KW): sums over `share` tiles each
A tile is up to `rows` x `columns` result pixels of one image. One work-item computes `block` channels over its tiles: of each
the part of the image is copied with its padding (not where there is none to add), then as many taps as there are registers
go over all pixels together. No local memory, no barrier. Index space: (C / block, splits).
Parameters: block 4, 8, 16; copies: whether the image is copied; tap_sets: which taps, (kh, kw), are summed together;
image_size: floats of the copy; kernel, strides, dilations; pad_mode none, constant, reflect, edge, wrap.
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
  space = "private" if copies else "global"
%>
kernel __attribute__((vec_type_hint(${V}))) void ${entry}(
    global const ${stored("x")}* restrict x, global const ${stored("dy")}* restrict dy,
    global ${stored("parts")}* restrict parts, int height, int width, int out_height, int out_width, int pad_top,
    int pad_left, int batch, int channels, int rows, int columns, int share) {
% if copies:
  float image[${image_size}] __attribute__((aligned(64)));
% endif
  float sums[${KH * KW * block}] __attribute__((aligned(64)));
  const int chunk = get_global_id(0);
  const int split = get_global_id(1);
  const int blocks = get_global_size(0);
  const int tiles_across = (out_width + columns - 1) / columns;
  const int tiles = (out_height + rows - 1) / rows * tiles_across;
  const int tile_end = min((split + 1) * share, batch * tiles);
  for (int k = 0; k < ${KH * KW}; ++k) *(private ${V}*)(sums + k * ${block}) = (${V})(0);
  for (int tile = split * share; tile < tile_end; ++tile) {
    const int n = tile / tiles;
    const int down = (tile - n * tiles) / tiles_across;
    const int oh = down * rows;
    const int ow = (tile - n * tiles - down * tiles_across) * columns;
    const int some_rows = min(rows, out_height - oh), some_columns = min(columns, out_width - ow);
    const size_t plane = (size_t)n * blocks + chunk;
    global const ${stored("x")}* source = x + plane * height * width * ${block};
    global const ${stored("dy")}* from = dy + (plane * out_height * out_width + oh * out_width + ow) * ${block};
% if copies:
    const int pitch = (some_columns - 1) * ${SW} + ${(KW - 1) * DW + 1};
    ${pieces.copy()}
    private const float* corner = image;
% else:
    const int pitch = width;
    global const float* corner = source + ((oh * ${SH} - pad_top) * width + ow * ${SW} - pad_left) * ${block};
% endif
% for taps in tap_sets:
    {
% for kh, kw in taps:
      ${V} a${kh}_${kw} = *(private const ${V}*)(sums + ${(kh * KW + kw) * block});
% endfor
      for (int r = 0; r < some_rows; ++r) {
        global const ${stored("dy")}* d = from + r * out_width * ${block};
% for kh in sorted({kh for kh, _ in taps}):
        ${space} const float* line${kh} = corner + (r * ${SH} + ${kh * DH}) * pitch * ${block};
% endfor
        for (int p = 0; p < some_columns; ++p) {
          const ${V} g = ${load(V, "d + p * %d" % block, stored("dy"))};
% for kh, kw in taps:
          a${kh}_${kw} = *(${space} const ${V}_u*)(line${kh} + p * ${SW * block} + ${kw * DW * block}) * g + a${kh}_${kw};
% endfor
        }
      }
% for kh, kw in taps:
      *(private ${V}*)(sums + ${(kh * KW + kw) * block}) = a${kh}_${kw};
% endfor
    }
% endfor
  }
  const int end = min(${block}, channels - chunk * ${block});
  for (int c = 0; c < end; ++c) {
    global ${stored("parts")}* to = parts + ((size_t)split * channels + chunk * ${block} + c) * ${KH * KW};
    for (int k = 0; k < ${KH * KW}; ++k)
      ${set_element("to", "k", "sums[k * %d + c]" % block, stored("parts"))}
  }
}

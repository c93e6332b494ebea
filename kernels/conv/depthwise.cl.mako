<%doc>
Depthwise convolution on channel blocks for CPUs: each channel has one filter of its own.

  y[n, c, oh, ow] = bias[c] + sum over kh, kw of w[c, kh, kw] * x[n, c, oh * S - P + kh * D, ...]

x (N, C / block, H, W, block)    w (C / block, KH, KW, block) and a vector of zeros behind it
bias (C) padded                  y (N, C / block, OH, OW, block)
One work-item computes `rows` output rows of one channel block of one image, `pixels` columns at a time.
Index space: (C / block, row items, N): cores begin with rows of their own, as those do that wrote x and that read y.

Of a tile that is never wider than a row only `sides` columns at each end may lie outside of the image; any may where that is
-1, and a tile is looked up whole.

Parameters: block 4, 8, 16; pixels: accumulators; sides; kernel, strides, dilations: (height, width); pad_mode none,
constant, reflect, edge, wrap; bias; epilogue.
</%doc>
<%namespace name="common" file="/common.mako"/>
<%namespace name="moments" file="/moments.mako"/>
<%namespace name="depthwise_tile" file="/conv/depthwise_tile.mako"/>
<%!
from clconv.lowering.model.ctext import vector_type
%>
<%
  V = vector_type(block)
  KH, KW = kernel
  SW = strides[1]
  DW = dilations[1]
  zero = pad_mode == "constant"
  NARROW = 4  # tiles
  narrower = pixels - 1 if pixels > 3 else 0
  leaves = context.get("leaves", False)
%>
kernel __attribute__((vec_type_hint(${V}))) void ${entry}(
    global const ${stored("x")}* restrict x, global const ${stored("w")}* restrict w,
% if bias:
    global const float* restrict bias,
% endif
    global ${stored("y")}* restrict y, int height, int width, int out_height, int out_width, int pad_top,
    int pad_left, int rows${moments.parameters(leaves)}${common.epilogue_parameters(epilogue_names)}) {
  const int chunk = get_global_id(0);
  const int n = get_global_id(2);
  const int blocks = get_global_size(0);
  global const ${stored("x")}* image = x + ((size_t)n * blocks + chunk) * height * width * ${block};
  global const ${stored("w")}* filter = w + chunk * ${KH * KW * block};
% if zero:
  global const ${stored("w")}* zeros = w + (size_t)blocks * ${KH * KW * block};
% endif
  const int last_column = (out_width - 1) * ${SW} - pad_left + ${(KW - 1) * DW};
  const int row_begin = get_global_id(1) * rows;
  const int row_end = min(row_begin + rows, out_height);
  const int tiles = (out_width + ${pixels - 1}) / ${pixels};
% if narrower:
  // Some tiles are one pixel narrower where that makes them fill a row exactly: 20 = 2 * 7 + 6.
  const int missing = tiles * ${pixels} - out_width;
  const int wide = missing <= tiles ? tiles - missing : tiles;
% endif
  // What a tile looks up at the sides of a narrow image serves all rows; wide ones are faster row by row.
  const int band = tiles > ${NARROW} ? 1 : rows;
  for (int band_begin = row_begin; band_begin < row_end; band_begin += band) {
    const int band_end = min(band_begin + band, row_end);
    for (int tile = 0; tile < tiles; ++tile) {
% if narrower:
      if (tile >= wide) {
        const int first = wide * ${pixels} + (tile - wide) * ${narrower};
        ${depthwise_tile.tile(narrower)}
        continue;
      }
% endif
      // Where nothing else fits, the last tile moves back so that it is full; it computes some pixels again.
      const int first = max(min(tile * ${pixels}, out_width - ${pixels}), 0);
      ${depthwise_tile.tile(pixels)}
    }
  }
% if leaves:
  ${moments.of_run("(((size_t)n * blocks + chunk) * out_height + row_begin) * out_width * %d" % block,
                   "(row_end - row_begin) * out_width", "n * get_global_size(1) + get_global_id(1)", "chunk * %d" % block, block)}
% endif
}

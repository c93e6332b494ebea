<%doc>
Depthwise convolution on channel blocks for CPUs: each channel has one filter of its own.

  y[n, c, oh, ow] = bias[c] + sum over kh, kw of w[c, kh, kw] * x[n, c, oh * S - P + kh * D, ...]

x (N, C / block, H, W, block)    w (C / block, KH, KW, block) and a vector of zeros behind it
bias (C) padded                  y (N, C / block, OH, OW, block)
One work-item computes `rows` output rows of one channel block of one image, `pixels` columns at a time.
Index space: (C / block, row items, N): cores begin with rows of their own, as those do that wrote x and that read y.

Parameters: block 4, 8, 16; pixels: accumulators; kernel, dilations: (height, width); column_stride; pad_mode none,
constant, reflect, edge, wrap; bias, also BIAS_OR_NULL; epilogue, also Choices.
</%doc>
<%namespace name="common" file="/common.mako"/>
<%namespace name="moments" file="/moments.mako"/>
<%namespace name="register_tile" file="/conv/register_tile.mako"/>
<%!
from clconv.lowering.model.ctext import load, vector_type
from clconv.lowering.shared.epilogue import BIAS_OR_NULL, Choices
%>
<%
  V = vector_type(block)
  (KH, KW), (DH, DW), SW = kernel, dilations, column_stride
  zero = pad_mode == "constant"
  NARROW = 4  # tiles
  narrower = pixels - 1 if pixels > 3 else 0
  shared = narrower and block == 16  # as in direct.cl.mako
  leaves = context.get("leaves", False)

  def columns_of(pixels):
      return (pixels - 1) * SW + (KW - 1) * DW + 1
%>
## Each column under the tile is loaded once for every pixel whose window holds it. two_widths: without the last if `narrow`.
<%def name="add_columns(column, pixels, two_widths)">
% for c in range(columns_of(pixels)):
<%
  users = [(p, kw) for p in range(pixels) for kw in range(KW) if p * SW + kw * DW == c]
  last_if = lambda p: "if (!narrow) " if two_widths and p == pixels - 1 else ""
%>
% if users:
        ${last_if(min(users)[0])}{ const ${V} s = ${column(c)};
% for p, kw in users:
          ${last_if(p)}a${p} = s * w${kw} + a${p};
% endfor
        }
% endif
% endfor
</%def>
## A tile of neighbouring columns, of which `first` is the first, in all rows of a band.
<%def name="tile(pixels, two_widths=False)">
    const int left = first * ${SW} - pad_left;
    const int inside = left >= 0 && first + ${pixels}${" - narrow" if two_widths else ""} <= out_width && left + ${columns_of(pixels)}${" - narrow * %d" % SW if two_widths else ""} <= width;
% if pad_mode != "none":
    int column[${columns_of(pixels)}];
    if (!inside)
      for (int c = 0; c < ${columns_of(pixels)}; ++c) {
        // Columns that only pixels past the image would need are any that exist.
        const int iw = min(left + c, last_column);
% if zero:
        column[c] = iw < 0 || iw >= width ? -1 : iw * ${block};
% else:
        column[c] = (${common.padded_index(pad_mode, "iw", "width")}) * ${block};
% endif
      }
% endif
    for (int oh = band_begin; oh < band_end; ++oh) {
      ${V} a0 = ${"!bias ? (%s)(0) : " % V if bias == BIAS_OR_NULL else ""}${load(V, "bias + chunk * %d" % block) if bias else "(%s)(0)" % V};
% for p in range(1, pixels):
      ${V} a${p} = a0;
% endfor
      for (int kh = 0; kh < ${KH}; ++kh) {
        int ih = oh * row_stride - pad_top + kh * ${DH};
% if zero:
        if (ih < 0 || ih >= height) continue;
% elif pad_mode != "none":
        ih = ${common.padded_index(pad_mode, "ih", "height")};
% endif
        global const ${stored("x")}* line = image + (size_t)ih * width * ${block};
% for kw in range(KW):
        const ${V} w${kw} = ${load(V, "filter + (kh * %d + %d) * %d" % (KW, kw, block), stored("w"))};
% endfor
        if (inside) {
          global const ${stored("x")}* source = line + left * ${block};
          ${add_columns(lambda c: load(V, "source + %d" % (c * block), stored("x")), pixels, two_widths)}
        } else {
% if zero:
          ${add_columns(lambda c: load(V, "column[%d] < 0 ? zeros : line + column[%d]" % (c, c), stored("x")), pixels, two_widths)}
% elif pad_mode == "none":
          ${add_columns(lambda c: load(V, "line + min(left + %d, last_column) * %d" % (c, block), stored("x")), pixels, two_widths)}
% else:
          ${add_columns(lambda c: load(V, "line + column[%d]" % c, stored("x")), pixels, two_widths)}
% endif
        }
      }
      const size_t at = ((((size_t)n * blocks + chunk) * out_height + oh) * out_width + first) * ${block};
      ${register_tile.store_pixels(["a%d" % p for p in range(pixels)], "out_width - first", block,
                                  epilogue, "chunk * %d" % block, "at", "!narrow" if two_widths else "")}
    }
</%def>
kernel __attribute__((vec_type_hint(${V}))) void ${entry}(
    global const ${stored("x")}* restrict x, global const ${stored("w")}* restrict w,
% if bias:
    global const float* restrict bias,
% endif
    global ${stored("y")}* restrict y, int height, int width, int out_height, int out_width, int pad_top,
    int pad_left, int row_stride, int rows${moments.parameters(leaves)}${common.epilogue_parameters(epilogue_names, isinstance(epilogue, Choices))}) {
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
% if narrower and not shared:
      if (tile >= wide) {
        const int first = wide * ${pixels} + (tile - wide) * ${narrower};
        ${tile(narrower)}
        continue;
      }
% endif
      // Where nothing else fits, the last tile moves back so that it is full; it computes some pixels again.
      int first = max(min(tile * ${pixels}, out_width - ${pixels}), 0);
% if shared:
      const int narrow = tile >= wide;
      if (narrow) first = tile * ${pixels} - (tile - wide);
% endif
      ${tile(pixels, shared)}
    }
  }
% if leaves:
  ${moments.of_run("(((size_t)n * blocks + chunk) * out_height + row_begin) * out_width * %d" % block,
                   "(row_end - row_begin) * out_width", "n * get_global_size(1) + get_global_id(1)", "chunk * %d" % block, block)}
% endif
}

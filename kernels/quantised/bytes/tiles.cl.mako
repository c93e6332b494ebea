<%doc>
Convolution of bytes on GPUs as a matrix product through local memory, four channels at a time: C[f, p] = sum over k of
W[k, f] * X[k, p], where p counts output pixels over images and k window positions and, within one, fours of channels.

x (N, group, quads, H, W) of int, each the bytes of four channels     w (group, K, filters padded to TILE_M) of int
y (N, group, F / 4, OH, OW, 4) of uchar; or, if real, (N, group, F, OH, OW) of float
multiplier, bias, sums: (group, F padded to TILE_M)     numbers, other, zero, scale, added: see pieces.mako
One work-group computes TILE_M filters of TILE_N pixels of one group; a work-item 8 filters of 4 pixels that are 16 apart, so
that items side by side write side by side, or what a matrix instruction leaves it. Index space: local (128); groups (pixel
tiles, filter tiles, group).

Parameters: quads, of a group; filters: a group's; kernel, strides, dilations: (height, width); dot: see scalar.mako; matrix: a
lowering.ops.quantised.bytes.fragments.Fragments in the place of `dot`, or None; signed:
whether it takes x less 128; real, twice, other, added, epilogue: see pieces.mako.
</%doc>
<%namespace name="common" file="/common.mako"/>
<%namespace name="fragments" file="/quantised/bytes/fragments.mako"/>
<%namespace name="pieces" file="/quantised/bytes/pieces.mako"/>
<%namespace name="scalar" file="/quantised/bytes/scalar.mako"/>
<%
  TILE_M, TILE_N, TILE_K, ITEMS = 64, 64, 8, 128
  KH, KW = kernel
  K = quads * KH * KW
  padded_filters = -(-filters // TILE_M) * TILE_M
  # Results of an item by filter and pixel. Lines of a matrix instruction's tile begin in other banks of local memory.
  LINE = TILE_M + 8 if matrix else TILE_M
  filter_places = matrix.filters if matrix else ["m + %d" % f for f in range(8)]
  pixel_places = matrix.pixels if matrix else ["n + %d" % (16 * p) for p in range(4)]
  F, P = range(len(filter_places)), range(len(pixel_places))
  sum_of = matrix.sum if matrix else lambda f, p: "s%d_%d" % (f, p)
%>
% if matrix:
${fragments.functions(matrix)}
% endif
% if not matrix or matrix.emulated:
${scalar.functions("emulated" if matrix else dot)}
% endif
kernel __attribute__((reqd_work_group_size(${ITEMS}, 1, 1)))
% if matrix and matrix.maker == "intel" and not matrix.emulated:
__attribute__((intel_reqd_sub_group_size(${matrix.lanes})))
% endif
void ${entry}(
    global const int* restrict x, global const int* restrict w, ${pieces.operands(real, other, added)}
% if signed and not real:
    global const int* restrict sums,
% endif
    int height, int width, int out_height, int out_width, int pad_top, int pad_left,
    ${"" if real else "int x_zero, "}int batch, int groups${common.epilogue_parameters(epilogue_names)}) {
  local int a[${TILE_K * LINE}];
  local int b[${TILE_K * LINE}];
% if matrix:
${fragments.memory(matrix)}
% endif
% if real:
  const int x_zero = zero[0];
% endif
  const int id = get_local_id(0);
  const int out_plane = out_height * out_width;
  const int pixels = batch * out_plane;
  const int first_pixel = get_group_id(0) * ${TILE_N};
  const int first_filter = get_group_id(1) * ${TILE_M};
  const int group = get_group_id(2);
  const int outside = x_zero * 0x01010101;
  const int group_filter = group * ${padded_filters} + first_filter;
  // The pixel whose bytes this item fetches.
  const int column = id % ${TILE_N};
  const int pixel = first_pixel + column;
  const int image = pixel / out_plane;
  const int oh = (pixel - image * out_plane) / out_width;
  const int ow = pixel - image * out_plane - oh * out_width;
  const int top = oh * ${strides[0]} - pad_top, left = ow * ${strides[1]} - pad_left;
  global const int* source = x + (size_t)(image * groups + group) * ${quads} * height * width;
  global const int* filter = w + (size_t)group * ${-(-K // TILE_K) * TILE_K * padded_filters} + first_filter;
% if matrix:
${fragments.places(matrix)}
% else:
  const int m = id / 16 * 8, n = id % 16;
% endif
% for f in F:
<% at = "group_filter + %s" % filter_places[f] %>\
  const int first${f} = ${"sums[%s] * (%s - x_zero)" % (at, "128" if signed else "0") if real else "bias[%s]" % at}${" + 128 * sums[%s]" % at if signed and not real else ""};
% if not matrix:
  int ${", ".join("s%d_%d = first%d" % (f, p, f) for p in P)};
% endif
% endfor
% if matrix:
${fragments.sums(matrix, "first")}
% endif
  for (int step = 0; step < ${-(-K // TILE_K)}; ++step) {
    for (int i = id; i < ${TILE_K * TILE_M}; i += ${ITEMS})
      a[${"i / %d * %d + i %% %d" % (TILE_M, LINE, TILE_M) if matrix else "i"}] = filter[(size_t)(step * ${TILE_K} + i / ${TILE_M}) * ${padded_filters} + i % ${TILE_M}];
    for (int row = id / ${TILE_N}; row < ${TILE_K}; row += ${ITEMS // TILE_N}) {
      const int k = step * ${TILE_K} + row;
      const int tap = k / ${quads};
      const int ih = top + tap / ${KW} * ${dilations[0]}, iw = left + tap % ${KW} * ${dilations[1]};
      const int known = pixel < pixels && k < ${K} && ih >= 0 && ih < height && iw >= 0 && iw < width;
      const int four = known ? source[((size_t)(k - tap * ${quads}) * height + ih) * width + iw] : outside;
      b[row * ${LINE} + column] = four${" ^ 0x80808080" if signed else ""};
    }
    barrier(CLK_LOCAL_MEM_FENCE);
% if matrix:
${fragments.multiply(matrix, TILE_K, LINE)}
% else:
    for (int k = 0; k < ${TILE_K}; ++k) {
% for f in F:
      const int w${f} = a[k * ${TILE_M} + m + ${f}];
% endfor
% for p in P:
      const int x${p} = b[k * ${TILE_N} + n + ${16 * p}];
% endfor
% for f in F:
% for p in P:
      s${f}_${p} = byte_dot(s${f}_${p}, x${p}, w${f});
% endfor
% endfor
    }
% endif
    barrier(CLK_LOCAL_MEM_FENCE);
  }
% for p in P:
  if (first_pixel + ${pixel_places[p]} < pixels) {
    const int p = first_pixel + ${pixel_places[p]};
    const int y_image = p / out_plane;
    const int within = p - y_image * out_plane;
% for f in F:
    if (first_filter + ${filter_places[f]} < ${filters if real else -(-filters // 4) * 4}) {
      const int f = first_filter + ${filter_places[f]};
      const int place = group * ${padded_filters} + f;
% if real:
      float value = (float)${sum_of(f, p)} * (scale[0] * multiplier[place]);
% if added:
      value = value + added[place];
% endif
      const int channel = group * ${filters} + f;
      const size_t at = ((size_t)y_image * groups * ${filters} + channel) * out_plane + within;
      ${common.apply_epilogue(epilogue, "value", "float", "channel", "at")}
      y[at] = value;
% else:
      float value = (float)${sum_of(f, p)} * multiplier[place];
      const size_t at = (((size_t)y_image * groups + group) * ${-(-filters // 4)} + f / 4) * out_plane * 4 + within * 4 + f % 4;
      ${scalar.requantise("value", twice, other, "at")}
      y[at] = (uchar)value;
% endif
    }
% endfor
  }
% endfor
}

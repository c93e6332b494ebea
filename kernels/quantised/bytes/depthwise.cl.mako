<%doc>
Depthwise convolution of bytes on channel blocks for CPUs: each channel has one filter of its own. Four pixels side by side
become four taps of each channel by one shuffle.

x (N, C / lanes, H, W, lanes) of uchar    y (N, C / lanes, OH, OW, lanes) of uchar
w (C / lanes, KH, fours, lanes, 4) of char, a window's row in fours, zeros behind its end
multiplier, bias  (C) padded to lanes     numbers: 9, see pieces.mako     other: as y
real: as in conv.cl.mako
One work-item computes `rows` output rows of one channel block of one image, a band of them after the other: it copies the
rows that a band reads, with the zero point around the image, to memory of its own, which stays in the core's first cache.
Index space: (row items, C / lanes, N).

band: output rows of which the padded input has at most `room` bytes. Parameters: lanes; pixels; room; kernel, strides: (height, width); dot: see pieces.mako; real, twice, other,
added, epilogue: see there.
</%doc>
<%namespace name="common" file="/common.mako"/>
<%namespace name="pieces" file="/quantised/bytes/pieces.mako"/>
<%
  KH, KW = kernel
  SH, SW = strides
  fours = -(-KW // 4)
  order = ", ".join(str(tap * lanes + lane) for lane in range(lanes) for tap in range(4))
%>
${pieces.declare(lanes, dot)}
kernel __attribute__((vec_type_hint(int${lanes}))) void ${entry}(
    global const uchar* restrict x, global const char* restrict w, ${pieces.operands(real, other, added)}
    int height, int width, int out_height, int out_width, int pad_top, int pad_left,
    ${"" if real else "int x_zero, "}int rows, int band, int padded_width${common.epilogue_parameters(epilogue_names)}) {
% if real:
  const int x_zero = zero[0];
% endif
  const int chunk = get_global_id(1);
  const int n = get_global_id(2);
  const int blocks = get_global_size(1);
  global const uchar* image = x + ((size_t)n * blocks + chunk) * height * width * ${lanes};
  global const char* filter = w + chunk * ${KH * fours * 4 * lanes};
  const byte_ints first_sum = ${pieces.first_sums("chunk * %d" % lanes, real)};
  ${pieces.factor("chunk * %d" % lanes, real, added)}
  const byte_lanes outside = (byte_lanes)((uchar)x_zero);
  const int row_begin = get_global_id(0) * rows;
  const int row_end = row_begin + rows < out_height ? row_begin + rows : out_height;
  uchar padded[${room}] __attribute__((aligned(64)));
  for (int band_begin = row_begin; band_begin < row_end; band_begin += band) {
    const int band_end = band_begin + band < row_end ? band_begin + band : row_end;
    const int top = band_begin * ${SH} - pad_top;
    const int in_rows = (band_end - band_begin - 1) * ${SH} + ${KH};
    for (int row = 0; row < in_rows; ++row) {
      const int ih = top + row;
      private uchar* line = padded + row * padded_width * ${lanes};
      if (ih < 0 || ih >= height) {
        for (int c = 0; c < padded_width; ++c) *(private byte_lanes_u*)(line + c * ${lanes}) = outside;
        continue;
      }
      global const uchar* source = image + (size_t)ih * width * ${lanes};
      const int some = width < padded_width - pad_left ? width : padded_width - pad_left;
      int c = 0;
      for (; c < pad_left; ++c) *(private byte_lanes_u*)(line + c * ${lanes}) = outside;
      for (int iw = 0; iw < some; ++iw, ++c)
        *(private byte_lanes_u*)(line + c * ${lanes}) = *(global const byte_lanes_u*)(source + iw * ${lanes});
      for (; c < padded_width; ++c) *(private byte_lanes_u*)(line + c * ${lanes}) = outside;
    }
    for (int oh = band_begin; oh < band_end; ++oh)
      for (int column = 0; column < out_width; column += ${pixels}) {
        // The last tile moves back so that it is full; it computes some pixels again.
        const int first = column + ${pixels} <= out_width ? column : out_width - ${pixels};
        private const uchar* source = padded + ((oh - band_begin) * ${SH} * padded_width + first * ${SW}) * ${lanes};
% for p in range(pixels):
        byte_ints a${p} = first_sum;
% endfor
        for (int kh = 0; kh < ${KH}; ++kh, source += padded_width * ${lanes}) {
% for four in range(fours):
          {
            const byte_ints taps = *(global const byte_ints_u*)(filter + (kh * ${fours} + ${four}) * ${4 * lanes});
% for p in range(pixels):
            {
              const byte_quads four = *(private const byte_quads_u*)(source + ${(p * SW + four * 4) * lanes});
              const byte_quads turned = __builtin_shufflevector(four, four, ${order});
              a${p} = BYTE_DOT_${dot.upper().replace(" ", "_")}(a${p}, *(private const byte_ints*)&turned, taps);
            }
% endfor
          }
% endfor
        }
        const size_t at = ((((size_t)n * blocks + chunk) * out_height + oh) * out_width + first) * ${lanes};
<% accumulators = ["a%d" % p for p in range(pixels)] %>
% if real:
        ${pieces.store_real(accumulators, lanes, added, epilogue, "(chunk * %d)" % lanes, "at")}
% else:
        ${pieces.store(accumulators, lanes, twice, other, "at")}
% endif
      }
  }
}

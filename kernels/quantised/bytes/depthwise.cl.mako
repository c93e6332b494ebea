<%doc>
Depthwise convolution of bytes on channel blocks for CPUs: each channel has one filter of its own. Four pixels side by side
become four taps of each channel by one shuffle.

x (N, C / lanes, H, W, lanes) of uchar    y (N, C / lanes, OH, OW, lanes) of uchar
w (C / lanes, KH, fours, lanes, 4) of char, a window's row in fours, zeros behind its end
multiplier, bias  (C) padded to lanes     numbers: 9, see pieces.mako     other: as y
One work-item computes `rows` output rows of one channel block of one image, `pixels` columns at a time.
Index space: (row items, C / lanes, N).

Parameters: lanes; pixels; kernel, strides: (height, width); dot: see pieces.mako; twice, other: see there.
</%doc>
<%namespace name="pieces" file="/quantised/bytes/pieces.mako"/>
<%
  KH, KW = kernel
  SH, SW = strides
  fours = -(-KW // 4)
  columns = (pixels - 1) * SW + 4 * fours
  order = ", ".join(str(tap * lanes + lane) for lane in range(lanes) for tap in range(4))
%>
${pieces.declare(lanes, dot)}
kernel __attribute__((vec_type_hint(int${lanes}))) void ${entry}(
    global const uchar* restrict x, global const char* restrict w, global const float* restrict multiplier,
    global const int* restrict bias, global const float* restrict numbers,
% if other:
    global const uchar* restrict other,
% endif
    global uchar* restrict y, int height, int width, int out_height, int out_width, int pad_top, int pad_left,
    int x_zero, int rows) {
  const int chunk = get_global_id(1);
  const int n = get_global_id(2);
  const int blocks = get_global_size(1);
  global const uchar* image = x + ((size_t)n * blocks + chunk) * height * width * ${lanes};
  global const char* filter = w + chunk * ${KH * fours * 4 * lanes};
  const byte_ints first_sum = *(global const byte_ints_u*)(bias + chunk * ${lanes});
  const byte_floats scale = *(global const byte_floats_u*)(multiplier + chunk * ${lanes});
  const int row_begin = get_global_id(0) * rows;
  const int row_end = row_begin + rows < out_height ? row_begin + rows : out_height;
  uchar window[${columns * lanes}];
  for (int oh = row_begin; oh < row_end; ++oh)
    for (int column = 0; column < out_width; column += ${pixels}) {
      // The last tile moves back so that it is full; it computes some pixels again.
      const int first = column + ${pixels} <= out_width ? column : out_width - ${pixels};
      const int left = first * ${SW} - pad_left;
      const int inside = left >= 0 && left + ${columns} <= width;
% for p in range(pixels):
      byte_ints a${p} = first_sum;
% endfor
      for (int kh = 0; kh < ${KH}; ++kh) {
        const int ih = oh * ${SH} - pad_top + kh;
        const int row_outside = ih < 0 || ih >= height;
        global const uchar* line = image + (long)ih * width * ${lanes};
        global const uchar* source = line + left * ${lanes};
        ${pieces.window(columns, lanes)}
% for four in range(fours):
        {
          const byte_ints taps = *(global const byte_ints_u*)(filter + (kh * ${fours} + ${four}) * ${4 * lanes});
% for p in range(pixels):
          {
            const byte_quads four = *(global const byte_quads_u*)(source + ${(p * SW + four * 4) * lanes});
            const byte_quads turned = __builtin_shufflevector(four, four, ${order});
            a${p} = BYTE_DOT_${dot.upper()}(a${p}, *(private const byte_ints*)&turned, taps);
          }
% endfor
        }
% endfor
      }
      const size_t at = ((((size_t)n * blocks + chunk) * out_height + oh) * out_width + first) * ${lanes};
      ${pieces.store(["a%d" % p for p in range(pixels)], lanes, twice, other, "at")}
    }
}

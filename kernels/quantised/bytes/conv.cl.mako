<%doc>
Convolution of bytes on channel blocks for CPUs: a register tile of `pixels` x `vectors` accumulators of int32, and four
channels at a time.

x     (N, group, C / in_block, H, W, in_block) of uchar      y  (N, group, F / lanes, OH, OW, lanes) of uchar
w     (group, F / OB, C / in_block, KH, KW, quads, OB, 4) of char with OB = vectors * lanes;
      if dot is "words", (..., quads, 2, OB, 2)
multiplier, bias  (group, F) padded to OB    numbers: 9, see pieces.mako    other: as y
real: y is of float, and zero, sums, scale and added stand for the zero point and what becomes bytes; see pieces.mako.
One work-item computes `rows` output rows, or `length` pixels of each, of OB filters of one image.
Index space: (F / OB, parts of rows, N * group).

quads: of four channels, of a group, as many as are not all zeros. Parameters: lanes; in_block 4 or lanes; vectors, pixels;
kernel, strides, dilations: (height, width); dot: see pieces.mako; real, twice, other, added, epilogue: see there.
</%doc>
<%namespace name="common" file="/common.mako"/>
<%namespace name="pieces" file="/quantised/bytes/pieces.mako"/>
<%namespace name="words" file="/quantised/bytes/words.mako"/>
<%
  KH, KW = kernel
  SH, SW = strides
  DH, DW = dilations
  OB = vectors * lanes
  columns = (pixels - 1) * SW + (KW - 1) * DW + 1
  pixel = "byte_lanes_u" if in_block == lanes else "int"
  padded = (KH, KW) != (1, 1) or pads
  widened = dot == "words"
%>
${pieces.declare(lanes, dot)}
% if widened:
${words.declare(lanes, in_block)}
% endif
kernel __attribute__((vec_type_hint(int${lanes}))) void ${entry}(
    global const uchar* restrict x, global const char* restrict w, ${pieces.operands(real, other, added)}
    int height, int width, int out_height, int out_width, int pad_top, int pad_left,
    ${"" if real else "int x_zero, "}int quads, int filters, int groups, int rows, int length${common.epilogue_parameters(epilogue_names)}) {
% if real:
  const int x_zero = zero[0];
% endif
  const int chunk = get_global_id(0);
  const int n = get_global_id(2) / groups;
  const int g = get_global_id(2) - n * groups;
  const int in_blocks = (4 * quads + ${in_block - 1}) / ${in_block};
  const int out_blocks = (filters + ${lanes - 1}) / ${lanes};
  global const uchar* image = x + (size_t)(n * groups + g) * in_blocks * height * width * ${in_block};
  const int places = g * get_global_size(0) + chunk;
  global const char* filter = w + (size_t)places * quads * ${KH * KW * OB * 4};
  const int parts = (out_width + length - 1) / length;
  const int row_item = get_global_id(1) / parts;
  const int begin = (get_global_id(1) - row_item * parts) * length;
  const int end = begin + length < out_width ? begin + length : out_width;
  const int row_end = (row_item + 1) * rows < out_height ? (row_item + 1) * rows : out_height;
% if widened:
  short window[${columns * in_block}] __attribute__((aligned(64)));
% elif padded:
  uchar window[${columns * in_block}] __attribute__((aligned(64)));
  const ${pixel} outside = ${"(byte_lanes_u)((uchar)x_zero)" if in_block == lanes else "x_zero * 0x01010101"};
% endif
  for (int oh = row_item * rows; oh < row_end; ++oh)
    for (int column = begin; column < end; column += ${pixels}) {
      // The last tile moves back so that it is full; it computes some pixels again.
      const int first = column + ${pixels} <= out_width ? column : out_width - ${pixels};
      const int left = first * ${SW} - pad_left;
% for v in range(vectors):
      byte_ints a0_${v} = ${pieces.first_sums("places * %d + %d" % (OB, v * lanes), real)};
% endfor
% for p in range(1, pixels):
      byte_ints ${", ".join("a%d_%d = a0_%d" % (p, v, v) for v in range(vectors))};
% endfor
% if padded:
      const int inside = left >= 0 && left + ${columns} <= width;
% endif
      global const char* tap = filter;
      for (int block = 0; block < in_blocks; ++block) {
        global const uchar* plane = image + (size_t)block * height * width * ${in_block};
        const int left_quads = quads - block * ${in_block // 4};
        const int some = left_quads < ${in_block // 4} ? left_quads : ${in_block // 4};
        for (int kh = 0; kh < ${KH}; ++kh) {
          const int ih = oh * ${SH} - pad_top + kh * ${DH};
          global const uchar* line = plane + (long)ih * width * ${in_block};
% if padded:
          const int row_outside = ih < 0 || ih >= height;
% endif
% if widened:
          ${words.window(columns, in_block, padded)}
% else:
          global const uchar* source = line + left * ${in_block};
% if padded:
          ${pieces.window(columns, in_block, pixel)}
% endif
% endif
          for (int kw = 0; kw < ${KW}; ++kw)
            for (int quad = 0; quad < some; ++quad) {
% if widened:
              private const short* four = window + kw * ${DW * in_block} + quad * 4;
              ${words.multiply(lanes, pixels, vectors, SW * in_block)}
% else:
              global const uchar* four = source + kw * ${DW * in_block} + quad * 4;
% for v in range(vectors):
              const byte_ints w${v} = *(global const byte_ints_u*)(tap + ${v * lanes * 4});
% endfor
% for p in range(pixels):
              { const byte_ints s = (byte_ints)(*(global const int*)(four + ${p * SW * in_block}));
% for v in range(vectors):
                a${p}_${v} = BYTE_DOT_${dot.upper().replace(" ", "_")}(a${p}_${v}, s, w${v});
% endfor
              }
% endfor
% endif
              tap += ${OB * 4};
            }
        }
      }
% for v in range(vectors):
      if (chunk * ${OB} + ${v * lanes} < filters) {
        ${pieces.factor("places * %d + %d" % (OB, v * lanes), real, added)}
        const size_t plane = (size_t)(n * groups + g) * out_blocks + chunk * ${vectors} + ${v};
        const size_t at = ((plane * out_height + oh) * out_width + first) * ${lanes};
<%
  accumulators = ["a%d_%d" % (p, v) for p in range(pixels)]
  channel = "(g * filters + chunk * %d + %d)" % (OB, v * lanes)
%>
% if real:
        ${pieces.store_real(accumulators, lanes, added, epilogue, channel, "at")}
% else:
        ${pieces.store(accumulators, lanes, twice, other, "at")}
% endif
      }
% endfor
    }
}

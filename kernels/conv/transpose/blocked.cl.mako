<%doc>
Transposed convolution on channel blocks for CPUs: every phase of the stride is a convolution of stride 1 with
the taps that meet it, computed with a register tile of `pixels` x `vectors` accumulators.

  y[n, f, o] = bias[f] + sum over c, k with o + P - k * D = i * S of w[c, f, k] * x[n, c, i]

x     (N, group, C / IB, H, W, IB): channel blocks, or plain with IB = 1
w     (group, F / OB, C / IB, KH, KW, IB, OB) with OB = vectors * block; depthwise: (C / block, KH, KW, block);
      a vector of zeros behind it, which pixels outside the image are read from
bias  (group * F) padded       y (N, group, F / block, OH, OW, block)
One work-item computes `rows` output rows of OB filters of one image; index space: (row items, F / OB, N * group).
Along an axis, result pixel o is u = o + P = q * S + phase; a tile is `pixels` successive q of one phase.

Parameters: depthwise: one filter a channel; block 4, 8, 16; in_block 1 or block; vectors, pixels: the register
tile; channels, filters: a group's; kernel, strides: (height, width); row_phases, column_phases: for each phase
first tap, distance of taps, number of taps, and the pixel q - offset - j * spread of tap j; epilogue.
</%doc>
<%namespace name="common" file="/common.mako"/>
<%!
import math
from clconv.lowering.model.ctext import assign, element, load, vector_type
%>
<%
  V = vector_type(block)
  KH, KW = kernel
  SH, SW = strides
  OB = vectors * block
  lanes_in = 1 if depthwise else in_block
  in_blocks = 1 if depthwise else -(-channels // in_block)
  tail = 0 if depthwise else channels % in_block
  out_blocks = -(-filters // block)
  taps_size = in_blocks * lanes_in * KH * KW * OB
  weights = -(-filters // OB) * taps_size
  channel_planes = in_blocks * in_block if in_block > 1 else channels
  TABLE = lambda rows: ", ".join("{%s}" % ", ".join(map(str, row)) for row in rows)
%>
constant int ${entry}_rows[${SH}][5] = {${TABLE(row_phases)}};
constant int ${entry}_columns[${SW}][5] = {${TABLE(column_phases)}};
## One tap of one block of `lanes` input channels: `pixel(p)` is C text of pixel p's address.
<%def name="multiply(lanes, pixel)">
% for c in range(lanes):
            {
% for v in range(vectors):
              const ${V} w${v} = ${load(V, "tap + %d" % (c * OB + v * block), stored("w"))};
% endfor
% for p in range(pixels):
              { const ${V if depthwise else "float"} s = ${load(V, pixel(p), stored("x")) if depthwise else element(pixel(p), str(c), stored("x"))};
% for v in range(vectors):
                a${p}_${v} = s * w${v} + a${p}_${v};
% endfor
              }
% endfor
            }
% endfor
</%def>
## The sum over all channels and taps, for a tile whose pixels lie inside the image, or at its border.
<%def name="accumulate(border)">
        for (int block_index = 0; block_index < ${in_blocks}; ++block_index)
        for (int kh = 0; kh < ${entry}_rows[row_phase][2]; ++kh) {
          const int ih = row - ${entry}_rows[row_phase][3] - kh * ${entry}_rows[row_phase][4];
          if (ih < 0 || ih >= height) continue;
          global const ${stored("x")}* line = image + ((size_t)block_index * height + ih) * width * ${in_block};
          global const ${stored("w")}* taps = filter
              + (block_index * ${KH} + ${entry}_rows[row_phase][0] + kh * ${entry}_rows[row_phase][1]) * ${KW * lanes_in * OB};
          for (int kw = 0; kw < tap_count; ++kw) {
            global const ${stored("w")}* tap = taps + (first_tap + kw * tap_step) * ${lanes_in * OB};
            const int left = first - offset - kw * spread;
% if border:
% for p in range(pixels):
            global const ${stored("x")}* s${p} = left + ${p} < 0 || left + ${p} >= width ? zeros : line + (left + ${p}) * ${in_block};
% endfor
% else:
            global const ${stored("x")}* source = line + left * ${in_block};
% endif
<%
  pixel = (lambda p: "s%d" % p) if border else (lambda p: "(source + %d)" % (p * in_block))
  # Not unrolled, which is compiled faster: few tiles lie at a border, and a last block of fewer channels needs no other text.
  turn = 1 if border and lanes_in > 1 else math.gcd(tail, lanes_in) if tail and tail % 4 == 0 else 0
%>
% if turn:
            const int lanes = ${"block_index == %d ? %d : " % (in_blocks - 1, tail) if tail else ""}${lanes_in};
#pragma unroll 1
            for (int c = 0; c < lanes; c += ${turn}, tap += ${turn * OB}) { ${multiply(turn, lambda p: "(%s + c)" % pixel(p))} }
% else:
% if tail:
            if (block_index == ${in_blocks - 1}) { ${multiply(tail, pixel)} continue; }
% endif
            ${multiply(lanes_in, pixel)}
% endif
          }
        }
</%def>
kernel __attribute__((vec_type_hint(${V}))) void ${entry}(
    global const ${stored("x")}* restrict x, global const ${stored("w")}* restrict w,
% if bias:
    global const float* restrict bias,
% endif
    global ${stored("y")}* restrict y, int height, int width, int out_height, int out_width, int pad_top,
    int pad_left, int rows${common.epilogue_parameters(epilogue_names)}) {
  const int chunk = get_global_id(1);
  const int n = get_global_id(2) / ${group};
  const int g = get_global_id(2) - n * ${group};
% if depthwise:
  global const ${stored("x")}* image = x + ((size_t)n * ${out_blocks} + chunk) * height * width * ${block};
% else:
  global const ${stored("x")}* image = x + ((size_t)n * ${group} + g) * ${channel_planes} * height * width;
% endif
  global const ${stored("w")}* filter = w + (size_t)g * ${weights} + (size_t)chunk * ${taps_size};
  global const ${stored("w")}* zeros = w + (size_t)${group * weights};
  const int row_end = (int)get_global_id(0) * rows + min(rows, out_height - (int)get_global_id(0) * rows);
  for (int oh = get_global_id(0) * rows; oh < row_end; ++oh) {
    const int row_phase = (oh + pad_top) % ${SH};
    const int row = (oh + pad_top) / ${SH};
    for (int phase = 0; phase < ${SW}; ++phase) {
      const int first_tap = ${entry}_columns[phase][0], tap_step = ${entry}_columns[phase][1];
      const int tap_count = ${entry}_columns[phase][2];
      const int offset = ${entry}_columns[phase][3], spread = ${entry}_columns[phase][4];
      const int begin = (pad_left - phase + ${SW - 1}) / ${SW};
      const int end = (out_width + pad_left - phase + ${SW - 1}) / ${SW};
      for (int tile = begin; tile < end; tile += ${pixels}) {
        // The last tile moves back so that it is full; it computes some pixels again.
        const int first = max(min(tile, end - ${pixels}), begin);
% for v in range(vectors):
        ${V} a0_${v} = ${load(V, "bias + g * %d + chunk * %d" % (filters, OB) + " + %d" % (v * block)) if bias else "(%s)(0)" % V};
% endfor
% for p in range(1, pixels):
        ${V} ${", ".join("a%d_%d = a0_%d" % (p, v, v) for v in range(vectors))};
% endfor
        if (first - offset - (tap_count - 1) * spread >= 0 && first - offset + ${pixels} <= width) {
          ${accumulate(False)}
        } else {
          ${accumulate(True)}
        }
% for v in range(vectors):
        if (chunk * ${vectors} + ${v} < ${out_blocks}) {
          const int channel = g * ${filters} + chunk * ${OB} + ${v * block};
          const size_t plane = (((size_t)n * ${group} + g) * ${out_blocks} + chunk * ${vectors} + ${v}) * out_height + oh;
% for p in range(pixels):
          if (first + ${p} < end) {
            const size_t at = (plane * out_width + (first + ${p}) * ${SW} + phase - pad_left) * ${block};
            ${common.apply_epilogue(epilogue, "a%d_%d" % (p, v), V, "channel", "at")}
            ${assign(V, "y + at", "a%d_%d" % (p, v), stored("y"))}
          }
% endfor
        }
% endfor
      }
    }
  }
}

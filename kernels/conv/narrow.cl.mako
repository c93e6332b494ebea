<%doc>
Convolution into few filters on channel blocks for CPUs, stride 1: filters and rows of the window together fill vectors.

  y[n, f, oh, ow] = bias[f] + sum over c, kh, kw of w[f, c, kh, kw] * x[n, c, oh + kh - P, ow + kw * D - P]

x     (N, C / IB, H, W, IB): channel blocks, or plain with IB = 1
w     (C / IB, KW, IB, vectors * block): lane j is filter j % F under the window's row KH - 1 - j / F, zero behind the last
bias  (F) padded      y (N, 1, OH, OW, block)
One row of the image is multiplied by all rows of the window at once: its sums are those of KH rows of the result, F lanes
each. The first row of them is complete then, and the others move F lanes on, where the next row of the image goes on. One
work-item computes `rows` x `pixels` pixels of one image, of which it copies a row at a time with its padding.
No local memory, no barrier. Index space: (OW / pixels, OH / rows, N).

Parameters: block 4, 8, 16; in_block 1 or block; filters: F; vectors, pixels: the register tile; lanes_a_turn: channels that
the inner loop takes at a time; tail: those of the last block that it leaves; kernel, strides, dilations: (height, width),
(1, 1) and (1, D); pad_mode none, constant, reflect, edge, wrap.
</%doc>
<%namespace name="common" file="/common.mako"/>
<%namespace name="pieces" file="/conv/image.mako"/>
<%namespace name="register_tile" file="/conv/register_tile.mako"/>
<%!
from clconv.lowering.model.ctext import load, vector_type
%>
<%
  V = vector_type(block)
  KH, KW = kernel
  DW = dilations[1]
  OB = vectors * block
  tile = ["a%d_%d" % (p, v) for p in range(pixels) for v in range(vectors)]
  place = lambda p: "(image + (kw * %d + %d) * %d + c)" % (DW, p, in_block)

  def moved(p, v):
      """The vector F lanes on; zero where new sums begin, and behind the last lane, for zero times infinity is there."""
      sources = range(v * block + filters, (v + 1) * block + filters)
      lanes = ("a%d_%d.s%x" % (p, j // block, j % block) if j < KH * filters else "0" for j in sources)
      return "(%s)(%s)" % (V, ", ".join(lanes))
%>
kernel __attribute__((vec_type_hint(${V}))) void ${entry}(
    global const ${stored("x")}* restrict x, global const ${stored("w")}* restrict w,
% if bias:
    global const float* restrict bias,
% endif
    global ${stored("y")}* restrict y, int height, int width, int out_height, int out_width, int pad_top,
    int pad_left, int in_blocks, int last_lanes, int rows${common.epilogue_parameters(epilogue_names)}) {
  float image[${(pixels + (KW - 1) * DW) * in_block + block}] __attribute__((aligned(64)));
  const int ow = get_global_id(0) * ${pixels}, oh = get_global_id(1) * rows, n = get_global_id(2);
  const int some_rows = min(rows, out_height - oh), some_columns = min(${pixels}, out_width - ow);
  const int pitch = some_columns + ${(KW - 1) * DW};
  ${pieces.columns()}
  ${V} ${", ".join("%s = 0" % a for a in tile)};
% if bias:
  const ${V} offset = ${load(V, "bias", "float")};
% endif
  for (int r = 0; r < some_rows + ${KH - 1}; ++r) {
    for (int b = 0; b < in_blocks; ++b) {
      global const ${stored("x")}* source = x + ((size_t)n * in_blocks + b) * height * width * ${in_block};
      ${pieces.row("image", "")}
      for (int kw = 0; kw < ${KW}; ++kw) {
        global const ${stored("w")}* tap = w + (b * ${KW} + kw) * ${in_block * OB};
        int c = 0;
% if in_block > lanes_a_turn or tail:
        const int lanes = b == in_blocks - 1 ? last_lanes : ${in_block};
#pragma unroll 1
        for (; c + ${lanes_a_turn} <= lanes; c += ${lanes_a_turn}, tap += ${lanes_a_turn * OB}) {
          ${register_tile.multiply(lanes_a_turn, place, vectors, pixels, block)}
        }
% if tail:
        if (c < lanes) {
          ${register_tile.multiply(tail, place, vectors, pixels, block)}
        }
% endif
% else:
        ${register_tile.multiply(in_block, place, vectors, pixels, block)}
% endif
      }
    }
    if (r >= ${KH - 1}) {
      const size_t at = (((size_t)n * out_height + oh + r - ${KH - 1}) * out_width + ow) * ${block};
      // Not in place: what follows may change lanes behind the filters, which are sums of the next rows.
% for p in range(pixels):
      ${V} y${p} = a${p}_0${" + offset" if bias else ""};
% endfor
      ${register_tile.store_pixels(["y%d" % p for p in range(pixels)], "some_columns", block, epilogue, "0", "at")}
    }
% for p in range(pixels):
% for v in range(vectors):
    a${p}_${v} = ${moved(p, v)};
% endfor
% endfor
  }
}

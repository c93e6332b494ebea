<%doc>
Direct convolution on channel blocks for CPUs: a register tile of `pixels` x `vectors` accumulators.

  y[n, f, oh, ow] = bias[f] + sum over c, kh, kw of w[f, c, kh, kw] * x[n, c, oh * S - P + kh * D, ...]

x     (N, group, C / IB, H, W, IB): channel blocks, or plain with IB = 1
w     (group, F / OB, C / IB, KH, KW, IB, OB) with OB = vectors * block, and a vector of zeros behind it
bias  (group * F) padded       y (N, group, F / block, OH, OW, block)
One work-item computes `rows` output rows by `columns` output columns of OB filters of one image; no local
memory, no barrier. Index space: (row items * column items, F / OB, N * group).
A tile whose window lies inside the image reads at constant distances; a tile at the border looks up the
column of each pixel once, where padded pixels of mode "constant" point at the zeros behind the weights.

Parameters: block 4, 8, 16; in_block 1 or block; vectors, pixels: the register tile; channels, filters: a
group's; kernel, strides, dilations: (height, width); pad_mode none, constant, reflect, edge, wrap.
</%doc>
<%namespace name="common" file="/common.mako"/>
<%namespace name="register_tile" file="/conv/register_tile.mako"/>
<%!
from clconv.lowering.ctext import load, store, vector_type
%>
<%
  V = vector_type(block)
  KH, KW = kernel
  SH, SW = strides
  DH, DW = dilations
  OB = vectors * block
  in_blocks = -(-channels // in_block)
  tail = channels % in_block
  out_blocks = -(-filters // block)
  weights = -(-filters // OB) * OB * in_blocks * in_block * KH * KW
  zero = pad_mode == "constant"
%>
## The sum over all channels and window positions, for a tile inside the image or at its border.
<%def name="accumulate(border)">
    for (int block_index = 0; block_index < ${in_blocks}; ++block_index) {
      for (int kh = 0; kh < ${KH}; ++kh) {
        int ih = oh * ${SH} - pad_top + kh * ${DH};
% if zero:
        if (ih < 0 || ih >= height) continue;
% elif pad_mode != "none":
        ih = ${common.padded_index(pad_mode, "ih", "height")};
% endif
        global const float* line = image + ((size_t)block_index * height + ih) * width * ${in_block};
        global const float* taps = filter + (block_index * ${KH} + kh) * ${KW * in_block * OB};
        for (int kw = 0; kw < ${KW}; ++kw) {
          global const float* tap = taps + kw * ${in_block * OB};
% if border:
% for p in range(pixels):
          global const float* s${p} = ${"column[kw][%d] < 0 ? zeros : " % p if zero else ""}line + column[kw][${p}];
% endfor
% else:
          global const float* source = line + (first * ${SW} - pad_left + kw * ${DW}) * ${in_block};
% endif
<%
  pixel = (lambda p: "s%d" % p) if border else (lambda p: "(source + %d)" % (p * SW * in_block))
%>
% if tail:
          if (block_index == ${in_blocks - 1}) {
            ${register_tile.multiply(tail, pixel, vectors, pixels, block)}
            continue;
          }
% endif
          ${register_tile.multiply(in_block, pixel, vectors, pixels, block)}
        }
      }
    }
</%def>
kernel void ${entry}(
    global const float* restrict x, global const float* restrict w,
% if bias:
    global const float* restrict bias,
% endif
    global float* restrict y, int height, int width, int out_height, int out_width, int pad_top,
    int pad_left, int rows, int columns${common.epilogue_parameters(epilogue_names)}) {
  const int column_items = (out_width + columns - 1) / columns;
  const int row_item = get_global_id(0) / column_items;
  const int column_item = get_global_id(0) - row_item * column_items;
  const int chunk = get_global_id(1);
  const int n = get_global_id(2) / ${group};
  const int g = get_global_id(2) - n * ${group};
  global const float* image = x + ((size_t)n * ${group} + g) * ${in_blocks * in_block if in_block > 1 else channels} * height * width;
  global const float* filter = w + (size_t)g * ${weights} + (size_t)chunk * ${in_blocks * in_block * KH * KW * OB};
% if zero:
  global const float* zeros = w + (size_t)${group * weights};
% endif
  const int row_end = min((row_item + 1) * rows, out_height);
  const int column_begin = column_item * columns;
  const int column_end = min(column_begin + columns, out_width);
  for (int oh = row_item * rows; oh < row_end; ++oh)
  for (int tile = column_begin; tile < column_end; tile += ${pixels}) {
    // The last tile of a row moves back so that it is full; it computes some pixels again.
    const int first = max(min(tile, column_end - ${pixels}), column_begin);
% for v in range(vectors):
    ${V} a0_${v} = ${load(V, "bias + g * %d + chunk * %d + %d" % (filters, OB, v * block)) if bias else "(%s)(0)" % V};
% endfor
% for p in range(1, pixels):
    ${V} ${", ".join("a%d_%d = a0_%d" % (p, v, v) for v in range(vectors))};
% endfor
% if pad_mode == "none":
    const int inside = first + ${pixels} <= column_end;
% else:
    const int left = first * ${SW} - pad_left;
    const int inside = left >= 0 && first + ${pixels} <= column_end
        && left + ${(pixels - 1) * SW + (KW - 1) * DW} < width;
% endif
    if (inside) {
      ${accumulate(False)}
    } else {
      int column[${KW}][${pixels}];
      for (int kw = 0; kw < ${KW}; ++kw)
        for (int p = 0; p < ${pixels}; ++p) {
          int iw = min(first + p, out_width - 1) * ${SW} - pad_left + kw * ${DW};
% if zero:
          column[kw][p] = iw < 0 || iw >= width ? -1 : iw * ${in_block};
% elif pad_mode == "none":
          column[kw][p] = iw * ${in_block};
% else:
          column[kw][p] = (${common.padded_index(pad_mode, "iw", "width")}) * ${in_block};
% endif
        }
      ${accumulate(True)}
    }
% for v in range(vectors):
    if (chunk * ${vectors} + ${v} < ${out_blocks}) {
      const int channel = g * ${filters} + chunk * ${OB} + ${v * block};
      const size_t plane = (((size_t)n * ${group} + g) * ${out_blocks} + chunk * ${vectors} + ${v}) * out_height + oh;
      const size_t at = (plane * out_width + first) * ${block};
% for p in range(pixels):
      if (first + ${p} < column_end) {
        ${common.apply_epilogue(epilogue, "a%d_%d" % (p, v), V, "channel", "at + %d" % (p * block))}
        ${store(V, "y + at + %d" % (p * block))} = a${p}_${v};
      }
% endfor
    }
% endfor
  }
}

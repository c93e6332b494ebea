<%doc>
Depthwise convolution on channel blocks for CPUs: each channel has one filter of its own.

  y[n, c, oh, ow] = bias[c] + sum over kh, kw of w[c, kh, kw] * x[n, c, oh * S - P + kh * D, ...]

x (N, C / block, H, W, block)    w (C / block, KH, KW, block) and a vector of zeros behind it
bias (C) padded                  y (N, C / block, OH, OW, block)
One work-item computes `rows` output rows of one channel block of one image, `pixels` columns at a time.
Index space: (row items, C / block, N).

Parameters: block 4, 8, 16; pixels: accumulators; kernel, strides, dilations: (height, width); pad_mode none,
constant, reflect, edge, wrap; bias; epilogue.
</%doc>
<%namespace name="common" file="/common.mako"/>
<%!
from clconv.lowering.ctext import load, store, vector_type
%>
<%
  V = vector_type(block)
  KH, KW = kernel
  SH, SW = strides
  DH, DW = dilations
  zero = pad_mode == "constant"
%>
kernel void ${entry}(
    global const float* restrict x, global const float* restrict w,
% if bias:
    global const float* restrict bias,
% endif
    global float* restrict y, int height, int width, int out_height, int out_width, int pad_top,
    int pad_left, int rows${common.epilogue_parameters(epilogue_names)}) {
  const int chunk = get_global_id(1);
  const int n = get_global_id(2);
  const int blocks = get_global_size(1);
  global const float* image = x + ((size_t)n * blocks + chunk) * height * width * ${block};
  global const float* filter = w + chunk * ${KH * KW * block};
% if zero:
  global const float* zeros = w + (size_t)blocks * ${KH * KW * block};
% endif
  const int row_end = min((int)(get_global_id(0) + 1) * rows, out_height);
  for (int oh = get_global_id(0) * rows; oh < row_end; ++oh)
  for (int tile = 0; tile < out_width; tile += ${pixels}) {
    // The last tile of a row moves back so that it is full; it computes some pixels again.
    const int first = max(min(tile, out_width - ${pixels}), 0);
    ${V} a0 = ${load(V, "bias + chunk * %d" % block) if bias else "(%s)(0)" % V};
% for p in range(1, pixels):
    ${V} a${p} = a0;
% endfor
    const int left = first * ${SW} - pad_left;
    const int inside = left >= 0 && first + ${pixels} <= out_width
        && left + ${(pixels - 1) * SW + (KW - 1) * DW} < width;
% for kh in range(KH):
    {
      int ih = oh * ${SH} - pad_top + ${kh * DH};
% if zero:
      if (ih >= 0 && ih < height) {
% else:
      {
% if pad_mode != "none":
        ih = ${common.padded_index(pad_mode, "ih", "height")};
% endif
% endif
        global const float* line = image + (size_t)ih * width * ${block};
        if (inside) {
          global const float* source = line + left * ${block};
% for kw in range(KW):
          {
            const ${V} tap = ${load(V, "filter + %d" % ((kh * KW + kw) * block))};
% for p in range(pixels):
            a${p} = ${load(V, "source + %d" % ((p * SW + kw * DW) * block))} * tap + a${p};
% endfor
          }
% endfor
        } else {
          for (int kw = 0; kw < ${KW}; ++kw) {
            const ${V} tap = ${load(V, "filter + (%d + kw) * %d" % (kh * KW, block))};
% for p in range(pixels):
            {
              int iw = min(first + ${p}, out_width - 1) * ${SW} - pad_left + kw * ${DW};
% if zero:
              global const float* s = iw < 0 || iw >= width ? zeros : line + iw * ${block};
% elif pad_mode == "none":
              global const float* s = line + iw * ${block};
% else:
              global const float* s = line + (${common.padded_index(pad_mode, "iw", "width")}) * ${block};
% endif
              a${p} = ${load(V, "s")} * tap + a${p};
            }
% endfor
          }
        }
      }
    }
% endfor
    const size_t at = ((((size_t)n * blocks + chunk) * out_height + oh) * out_width + first) * ${block};
% for p in range(pixels):
    if (first + ${p} < out_width) {
      ${common.apply_epilogue(epilogue, "a%d" % p, V, "chunk * %d" % block, "at + %d" % (p * block))}
      ${store(V, "y + at + %d" % (p * block))} = a${p};
    }
% endfor
  }
}

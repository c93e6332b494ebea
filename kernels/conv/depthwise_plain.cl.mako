<%doc>
Depthwise convolution on plain tensors for GPUs: each input channel has `multiplier` filters of its own.

  y[n, f, oh, ow] = bias[f] + sum over kh, kw of w[f, kh, kw] * x[n, f / multiplier, oh * S - P + kh * D, ...]

x (N, C, H, W)    w (F, 1, KH, KW)    bias (F)    y (N, F, OH, OW)
One work-item computes `pixels` neighbouring pixels of one row; each input value under them is loaded once.
Index space: (column items, rows OH, N * F), rounded up to whole work-groups.
Parameters: pixels; kernel, strides, dilations; pad_mode none, constant, reflect, edge, wrap; multiplier;
bias; epilogue.
</%doc>
<%namespace name="common" file="/common.mako"/>
<%!
from clconv.lowering.ctext import element, set_element
%>\
<%
  KH, KW = kernel
  SH, SW = strides
  DH, DW = dilations
  zero = pad_mode == "constant"
  columns = (pixels - 1) * SW + (KW - 1) * DW + 1
%>
kernel void ${entry}(
    global const ${stored("x")}* restrict x, global const ${stored("w")}* restrict w,
% if bias:
    global const ${stored("bias")}* restrict bias,
% endif
    global ${stored("y")}* restrict y, int filters, int height, int width, int out_height, int out_width,
    int pad_top, int pad_left${common.epilogue_parameters(epilogue_names)}) {
  const int first = get_global_id(0) * ${pixels};
  const int oh = get_global_id(1);
  const int n = get_global_id(2) / filters;
  const int f = get_global_id(2) - n * filters;
  if (first >= out_width || oh >= out_height) return;
  global const ${stored("x")}* plane = x + ((size_t)n * (filters / ${multiplier}) + f / ${multiplier}) * height * width;
  global const ${stored("w")}* taps = w + f * ${KH * KW};
  const int left = first * ${SW} - pad_left;
  const int last_column = (out_width - 1) * ${SW} - pad_left + ${(KW - 1) * DW};
  float ${", ".join("a%d = %s" % (p, element("bias", "f", stored("bias")) if bias else "0") for p in range(pixels))};
% for kh in range(KH):
  {
    int ih = oh * ${SH} - pad_top + ${kh * DH};
% if zero:
    if (ih >= 0 && ih < height) {
% else:
    {
      ih = ${common.padded_index(pad_mode, "ih", "height")};
% endif
      global const ${stored("x")}* line = plane + ih * width;
% for c in range(columns):
<%
  users = [(p, kw) for p in range(pixels) for kw in range(KW) if p * SW + kw * DW == c]
%>
% if users:
      {
        // Columns that only pixels past the image would need are any that exist.
        int iw = min(left + ${c}, last_column);
% if zero:
        const float s = iw >= 0 && iw < width ? ${element("line", "iw", stored("x"))} : 0;
% else:
        const float s = ${element("line", capture(common.padded_index, pad_mode, "iw", "width"), stored("x"))};
% endif
% for p, kw in users:
        a${p} = s * ${element("taps", str(kh * KW + kw), stored("w"))} + a${p};
% endfor
      }
% endif
% endfor
    }
  }
% endfor
  const size_t at = ((size_t)get_global_id(2) * out_height + oh) * out_width + first;
% for p in range(pixels):
  if (first + ${p} < out_width) {
    ${common.apply_epilogue(epilogue, "a%d" % p, "float", "f", "at + %d" % p)}
    ${set_element("y", "at + %d" % p, "a%d" % p, stored("y"))}
  }
% endfor
}

<%doc>
Depthwise convolution on plain tensors for GPUs: each input channel has `multiplier` filters of its own.

  y[n, f, oh, ow] = bias[f] + sum over kh, kw of w[f, kh, kw] * x[n, f / multiplier, oh * S - P + kh * D, ...]

x (N, C, H, W)    w (F, 1, KH, KW)    bias (F)    y (N, F, OH, OW)
One work-item computes `pixels` neighbouring pixels of `rows` neighbouring rows; each input value under them is loaded
once. Index space: (column items, N * row_items, F), the first two rounded up to whole work-groups; a GPU may have no more than
65535 of them along the second and the third axis.
Parameters: rows, pixels; store: pixels of a store, of which `pixels` and the rows of y are multiples; kernel, strides,
dilations; pad_mode none, constant, reflect, edge, wrap; multiplier; bias; epilogue.
</%doc>
<%namespace name="common" file="/common.mako"/>
<%!
from clconv.lowering.model.ctext import assign, element, vector_type
%>\
<%
  KH, KW = kernel
  SH, SW = strides
  DH, DW = dilations
  zero = pad_mode == "constant"
  columns = (pixels - 1) * SW + (KW - 1) * DW + 1
  lines = (rows - 1) * SH + (KH - 1) * DH + 1
  V = vector_type(store)
  offset = element("bias", "f", stored("bias")) if bias else "0"
%>
kernel void ${entry}(
    global const ${stored("x")}* restrict x, global const ${stored("w")}* restrict w,
% if bias:
    global const ${stored("bias")}* restrict bias,
% endif
    global ${stored("y")}* restrict y, int row_items, int batch, int height, int width, int out_height, int out_width,
    int pad_top, int pad_left${common.epilogue_parameters(epilogue_names)}) {
  const int first = get_global_id(0) * ${pixels};
  const int n = get_global_id(1) / row_items;
  const int oh = (get_global_id(1) - n * row_items)${" * %d" % rows if rows > 1 else ""};
  const int f = get_global_id(2), filters = get_global_size(2);
  if (first >= out_width || oh >= out_height || n >= batch) return;
  global const ${stored("x")}* plane = x + ((size_t)n * (filters / ${multiplier}) + f / ${multiplier}) * height * width;
  global const ${stored("w")}* taps = w + f * ${KH * KW};
  const int left = first * ${SW} - pad_left;
  const int last_column = (out_width - 1) * ${SW} - pad_left + ${(KW - 1) * DW};
  const int last_row = (out_height - 1) * ${SH} - pad_top + ${(KH - 1) * DH};
% for r in range(rows):
  float ${", ".join("a%d_%d = %s" % (r, p, offset) for p in range(pixels))};
% endfor
% for i in range(lines):
<%
  taken = [(r, kh) for r in range(rows) for kh in range(KH) if r * SH + kh * DH == i]
%>
% if taken:
  {
    // Lines and columns that only pixels past the image would need are any that exist.
    int ih = min(oh * ${SH} - pad_top + ${i}, last_row);
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
        int iw = min(left + ${c}, last_column);
% if zero:
        const float s = iw >= 0 && iw < width ? ${element("line", "iw", stored("x"))} : 0;
% else:
        const float s = ${element("line", capture(common.padded_index, pad_mode, "iw", "width"), stored("x"))};
% endif
% for r, kh in taken:
% for p, kw in users:
        a${r}_${p} = s * ${element("taps", str(kh * KW + kw), stored("w"))} + a${r}_${p};
% endfor
% endfor
      }
% endif
% endfor
    }
  }
% endif
% endfor
% for r in range(rows):
  if (oh + ${r} < out_height) {
    const size_t at = (((size_t)n * filters + f) * out_height + oh + ${r}) * out_width + first;
% for p in range(0, pixels, store):
    if (first + ${p} < out_width) {
      ${V} value = (${V})(${", ".join("a%d_%d" % (r, p + lane) for lane in range(store))});
      ${common.apply_epilogue(epilogue, "value", V, "f", "at + %d" % p, one_channel=True, aligned=True)}
      ${assign(V, "y + at + %d" % p, "value", stored("y"), True)}
    }
% endfor
  }
% endfor
}

<%doc>
Pooling on plain tensors for GPUs, with a register tile: a work-item computes `pixels` neighbouring results of a
row, and loads each value under their windows once.

  y[n, c, oh, ow] = max, mean or p-norm over kh, kw of x[n, c, oh * S - P + kh * D, ...]

x (N, C, H, W)    y (N, C, OH, OW)
Index space: (column items, N * row_items, C), rounded up to whole work-groups; row_items is OH or more. A GPU may have
no more than 65535 groups along the second and the third axis.
Pixels of padding "constant" are left out (an average counts them with count_pads); of the other modes they
are image values. What a window of ceil mode covers beyond the padded image is left out.

Parameters: kind max, average, lp with power; pixels; kernel, strides, dilations: (height, width); pad_mode none,
constant, reflect, edge, wrap; count_pads; epilogue.
</%doc>
<%namespace name="common" file="/common.mako"/>
<%namespace name="pieces" file="/pool/pieces.mako"/>
<%!
from clconv.lowering.model.ctext import element, set_element
%>
<%
  KH, KW = kernel
  SH, SW = strides
  DH, DW = dilations
  start = "-INFINITY" if kind == "max" else "0"
  columns = (pixels - 1) * SW + (KW - 1) * DW + 1
  average = kind == "average"
%>
## Opens a condition: that `index` lies on a pixel; folds it into the image.
<%def name="inside(index, size, end)">\
% if pad_mode == "constant":
if (${index} >= 0 && ${index} < ${size}) {\
% elif pad_mode == "none":
{\
% else:
if (${index} < ${size} + ${end}) {
  ${index} = ${common.padded_index(pad_mode, index, size)};\
% endif
</%def>
kernel void ${entry}(
    global const ${stored("x")}* restrict x, global ${stored("y")}* restrict y, int row_items, int height, int width,
    int out_height, int out_width, int pad_top, int pad_left, int pad_bottom,
    int pad_right${common.epilogue_parameters(epilogue_names)}) {
  const int first = get_global_id(0) * ${pixels};
  const int n = get_global_id(1) / row_items;
  const int oh = get_global_id(1) - n * row_items;
  const int channel = get_global_id(2);
  const size_t nc = (size_t)n * get_global_size(2) + channel;
  if (first >= out_width || oh >= out_height) return;
  global const ${stored("x")}* plane = x + nc * height * width;
  const int top = oh * ${SH} - pad_top, left = first * ${SW} - pad_left;
  float ${", ".join("a%d = %s" % (p, start) for p in range(pixels))};
% for kh in range(KH):
  {
    int ih = top + ${kh * DH};
    ${inside("ih", "height", "pad_bottom")}
      global const ${stored("x")}* line = plane + (size_t)ih * width;
% for c in range(columns):
<%
  users = [p for p in range(pixels) for kw in range(KW) if p * SW + kw * DW == c]
%>
% if users:
      {
        int iw = ${"min(left + %d, width - 1)" % c if pad_mode == "none" else "left + %d" % c};
        ${inside("iw", "width", "pad_right")}
          const float s = ${element("line", "iw", stored("x"))};
% for p in users:
          ${pieces.take(kind, power, "float", "a%d" % p, "s")}
% endfor
        }
      }
% endif
% endfor
    }
  }
% endfor
% if average:
<%
  limits = {"row": ("-pad_top", "height + pad_bottom"), "column": ("-pad_left", "width + pad_right")}
  if not count_pads:
      limits = {"row": ("0", "height"), "column": ("0", "width")}
  counted = lambda axis, at: "(%s >= %s && %s < %s)" % (at, limits[axis][0], at, limits[axis][1])
%>
  const int rows = ${" + ".join(counted("row", "top + %d" % (kh * DH)) for kh in range(KH))};
% endif
  const size_t at = (nc * out_height + oh) * out_width + first;
% for p in range(pixels):
  if (first + ${p} < out_width) {
% if average:
    const int count = rows * (${" + ".join(counted("column", "left + %d" % (p * SW + kw * DW)) for kw in range(KW))});
% endif
    ${pieces.finish(kind, power, "float", "a%d" % p, "count")}
    ${common.apply_epilogue(epilogue, "a%d" % p, "float", "channel", "at + %d" % p)}
    ${set_element("y", "at + %d" % p, "a%d" % p, stored("y"))}
  }
% endfor
}

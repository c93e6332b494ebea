<%doc>
The results of a transposed convolution whose windows do not meet, from the product of its filters and pixels:

  y[n, f, ih * KH + kh, iw * KW + kw] = bias[f] + product[n, f, kh, kw, ih, iw]

product (N, F, KH, KW, H, W)    bias (F)    y (N, F, H * KH, W * KW)
One work-item writes the KW neighbours of one kh; neighbouring items read neighbouring pixels.
Index space: (H * W rounded up, F * KH, N). Parameters: kernel; store: pixels of a store, KW or 1; bias; epilogue.
</%doc>
<%namespace name="common" file="/common.mako"/>
<%!
from clconv.lowering.model.ctext import assign, element, vector_type
%>\
<%
  KH, KW = kernel
  V = vector_type(store)
%>
kernel void ${entry}(
    global const float* restrict product,
% if bias:
    global const ${stored("bias")}* restrict bias,
% endif
    global ${stored("y")}* restrict y, int filters, int height,
    int width${common.epilogue_parameters(epilogue_names)}) {
  const int p = get_global_id(0);
  const int plane = height * width;
  if (p >= plane) return;
  const int line = get_global_id(1);
  const int f = line / ${KH}, kh = line - f * ${KH};
  const int ih = p / width, iw = p - ih * width;
  const size_t lines = get_global_id(2) * (size_t)filters * ${KH} + line;
  global const float* from = product + lines * ${KW} * plane + p;
  const float offset = ${element("bias", "f", stored("bias")) if bias else "0"};
  const size_t at = (((get_global_id(2) * (size_t)filters + f) * height + ih) * ${KH} + kh) * width * ${KW} + (size_t)iw * ${KW};
% for kw in range(0, KW, store):
  {
    ${V} value = (${V})(${", ".join("from[(size_t)%d * plane]" % (kw + lane) for lane in range(store))}) + offset;
    ${common.apply_epilogue(epilogue, "value", V, "f", "at + %d" % kw, one_channel=True, aligned=True)}
    ${assign(V, "y + at + %d" % kw, "value", stored("y"), True)}
  }
% endfor
}

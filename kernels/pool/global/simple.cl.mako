<%doc>
Pooling over all pixels of a channel, on plain tensors.

  y[n, c] = max, mean or p-norm over the pixels i of x[n, c, i]

x (N, C, pixels)    y (N, C, 1)
One work-item pools one channel of one image; index space: (C, N). Sums of 256 pixels are added up apart, so
that the error does not grow with the image.

Parameters: kind max, average, lp with power; type float or double; epilogue (float).
</%doc>
<%namespace name="common" file="/common.mako"/>
<%namespace name="pieces" file="/pool/pieces.mako"/>
<%!
from clconv.lowering.model.ctext import element, set_element
%>\
<%
  start = "-INFINITY" if kind == "max" else "0"
%>
kernel void ${entry}(
    global const ${stored("x", type)}* restrict x, global ${stored("y", type)}* restrict y,
    int pixels${common.epilogue_parameters(epilogue_names)}) {
  const int channel = get_global_id(0);
  const size_t at = (size_t)get_global_id(1) * get_global_size(0) + channel;
  global const ${stored("x", type)}* image = x + at * pixels;
  ${type} result = ${start};
  for (int run = 0; run < pixels; run += 256) {
    ${type} part = ${start};
    for (int i = run; i < min(run + 256, pixels); ++i) {
      ${pieces.take(kind, power, type, "part", element("image", "i", stored("x")))}
    }
% if kind == "max":
    ${pieces.take("max", 1, type, "result", "part")}
% else:
    result += part;
% endif
  }
  ${pieces.finish(kind, power, type, "result", "pixels")}
  ${common.apply_epilogue(epilogue, "result", type, "channel", "at")}
  ${set_element("y", "at", "result", stored("y"))}
}

<%doc>
Local response normalisation across channels of plain x (batch, channels, pixels).

  y[c] = x[c] / (bias + alpha / size * sum of x[k]^2 for c - before <= k <= c + after) ^ beta

One work-item computes `columns` pixels of one image, all channels. Index space: (pixels / columns, batch).
Parameters: type: float or double; width: floats of a vector, 1 for double; before, after: channels of the
window; bias, scale (alpha / size): C literals; power: C text of the divisor's inverse, of s and T.
</%doc>
<%!
import re
from clconv.lowering.model.ctext import assign, load, vector_type
%>
<%def name="column(V, read, write)">
      global const ${stored("x", type)}* source = x + (size_t)get_global_id(1) * channels * pixels + p;
      global ${stored("y", type)}* target = y + (size_t)get_global_id(1) * channels * pixels + p;
      for (int c = 0; c < channels; ++c) {
        const int first = max(c - ${before}, 0);
        const int last = min(c + ${after}, channels - 1);
        ${V} sum = (${V})(0);
        for (int k = first; k <= last; ++k) {
          const ${V} v = ${read("source + (size_t)k * pixels")};
          sum = v * v + sum;
        }
        const ${V} s = sum * ${scale} + ${bias};
        ${write("target + (size_t)c * pixels", "%s * (%s)" % (read("source + (size_t)c * pixels"), re.sub(r"\bT\b", V, power)))}
      }
</%def>
kernel void ${entry}(
    global const ${stored("x", type)}* restrict x, global ${stored("y", type)}* restrict y, int channels, int pixels, int columns) {
  const int end = (int)get_global_id(0) * columns + min(columns, pixels - (int)get_global_id(0) * columns);
  int p = get_global_id(0) * columns;
% if width > 1:
<%
  V = vector_type(width)
%>
  for (; p + ${width} <= end; p += ${width}) {
    ${column(V, lambda at: load(V, at, stored("x")), lambda at, value: assign(V, at, value, stored("y")))}
  }
% endif
  for (; p < end; ++p) {
% if stored("x") == "half":
    ${column(type, lambda at: load("float", at, "half"), lambda at, value: assign("float", at, value, "half"))}
% else:
    ${column(type, lambda at: "(*(%s))" % at, lambda at, value: "*(%s) = %s;" % (at, value))}
% endif
  }
}

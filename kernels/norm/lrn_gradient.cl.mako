<%doc>
Gradient of local response normalisation across channels of plain x (batch, channels, pixels), as in norm/lrn:

  with s[c] = bias + scale * sum of x[k]^2 for c - before <= k <= c + after, and t[c] = dy[c] x[c] s[c]^(-beta - 1):
  dx[c] = dy[c] s[c]^-beta - factor * x[c] * sum of t[k] for c - after <= k <= c + before,  factor = 2 scale beta

One work-item computes `columns` pixels of one image, all channels; t goes to memory of x's size. Index space: (pixels /
columns, batch).
Parameters: as in norm/lrn; factor: a C literal.
</%doc>
<%!
import re
from clconv.lowering.model.ctext import assign, load, vector_type
%>
<%def name="column(V, read, write)">
      const size_t start = (size_t)get_global_id(1) * channels * pixels + p;
      for (int c = 0; c < channels; ++c) {
        const int first = max(c - ${before}, 0), last = min(c + ${after}, channels - 1);
        ${V} sum = (${V})(0);
        for (int k = first; k <= last; ++k) {
          const ${V} v = ${read("x", "start + (size_t)k * pixels")};
          sum = v * v + sum;
        }
        const ${V} s = sum * ${scale} + ${bias};
        const size_t at = start + (size_t)c * pixels;
        const ${V} g = ${read("dy", "at")} * (${re.sub(r"\bT\b", V, power)});
        ${write("t", "at", "g * %s / s" % read("x", "at"))}
        ${write("dx", "at", "g")}
      }
      for (int c = 0; c < channels; ++c) {
        const int first = max(c - ${after}, 0), last = min(c + ${before}, channels - 1);
        ${V} sum = (${V})(0);
        for (int k = first; k <= last; ++k) sum += ${read("t", "start + (size_t)k * pixels")};
        const size_t at = start + (size_t)c * pixels;
        ${write("dx", "at", "%s - sum * %s * %s" % (read("dx", "at"), read("x", "at"), factor))}
      }
</%def>
<%
  def held(name):
      return type if name == "t" else stored(name, type)

  def read(V):
      return lambda name, at: load(V, "%s + %s" % (name, at), held(name)) if held(name) != "double" else "%s[%s]" % (name, at)

  def write(V):
      return lambda name, at, value: assign(V, "%s + %s" % (name, at), value, held(name)) if held(name) != "double" else "%s[%s] = %s;" % (name, at, value)
%>\
kernel void ${entry}(
    global const ${stored("x", type)}* restrict x, global const ${stored("dy", type)}* restrict dy,
    global ${stored("dx", type)}* restrict dx, global ${type}* restrict t, int channels, int pixels, int columns) {
  const int end = (int)get_global_id(0) * columns + min(columns, pixels - (int)get_global_id(0) * columns);
  int p = get_global_id(0) * columns;
% if width > 1:
  for (; p + ${width} <= end; p += ${width}) {
    ${column(vector_type(width), read(vector_type(width)), write(vector_type(width)))}
  }
% endif
  for (; p < end; ++p) {
    ${column(type, read(type), write(type))}
  }
}

<%doc>
Local response normalisation across channels, as in norm/lrn, on channel blocks for CPUs.

x, y (batch, blocks, pixels, block). The squares of the neighbouring channels are the vector's own and its two
neighbours', shifted by whole lanes; a window of at most block channels to each side lies within them.
One work-item computes `columns` pixels of one image, all channels. Index space: (pixels / columns, batch).
Parameters: block; before, after: channels of the window, at most block; bias, scale (alpha / size): C
literals; power: C text of the divisor's inverse, of s and T.
</%doc>
<%!
import re
from clconv.lowering.model.ctext import assign, load, neighbours, vector_type
%>
<%
  V = vector_type(block)
  lanes = ", ".join(str(i) for i in range(block))
%>
kernel __attribute__((vec_type_hint(${V}))) void ${entry}(
    global const ${stored("x")}* restrict x, global ${stored("y")}* restrict y, int channels, int pixels, int columns) {
  const int blocks = (channels + ${block - 1}) / ${block};
  const size_t stride = (size_t)pixels * ${block};
  const int end = (int)get_global_id(0) * columns + min(columns, pixels - (int)get_global_id(0) * columns);
  const int${block} lane = (int${block})(${lanes});
  // What the lanes past the last channel hold is undefined: it counts as zero.
  const int${block} is_real = lane < channels - (blocks - 1) * ${block};
  for (int p = get_global_id(0) * columns; p < end; ++p) {
    const size_t at = (size_t)get_global_id(1) * blocks * stride + (size_t)p * ${block};
    const ${V} zero = (${V})(0);
    ${V} now = ${load(V, "x + at", stored("x"))};
    ${V} before = zero;
    ${V} squares = now * now;
    squares = blocks == 1 ? (is_real ? squares : zero) : squares;
    for (int b = 0; b < blocks; ++b) {
      ${V} next = zero;
      ${V} after = zero;
      if (b + 1 < blocks) {
        next = ${load(V, "x + at + (b + 1) * stride", stored("x"))};
        after = next * next;
        after = b + 2 == blocks ? (is_real ? after : zero) : after;
      }
      ${V} sum = squares;
% for by in range(-before, after + 1):
% if by:
      sum += ${neighbours("before", "squares", "after", by, block)};
% endif
% endfor
      const ${V} s = sum * ${scale} + ${bias};
<%
  result = "now * (%s)" % re.sub(r"\bT\b", V, power)
  place = "y + at + b * stride"
%>\
      ${assign(V, place, result, "half") if stored("y") == "half" else "*(global %s_u*)(%s) = %s;" % (V, place, result)}
      now = next;
      before = squares;
      squares = after;
    }
  }
}

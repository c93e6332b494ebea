<%doc>
Gradient of local response normalisation across channels, as in norm/lrn_gradient, on channel blocks for CPUs.

x, dy, dx (batch, blocks, pixels, block). Blocks pass one after the other: of each, s and t need the squares of the block
before and of the next one, dx needs their t; a window of at most block channels to each side lies within them.
One work-item computes `columns` pixels of one image, all channels. Index space: (pixels / columns, batch).
Parameters: as in norm/lrn_blocked; factor: a C literal.
</%doc>
<%!
import re
from clconv.lowering.model.ctext import assign, load, neighbours, vector_type
%>
<%
  V = vector_type(block)
  lanes = ", ".join(str(i) for i in range(block))
%>
## Block `b` of x as x_<name>, and its squares as squares_<name>; zeros behind the last block.
<%def name="read(name, b)">
      if (${b} < blocks) {
        x_${name} = ${load(V, "x + at + (size_t)(%s) * stride" % b, stored("x"))};
        squares_${name} = x_${name} * x_${name};
        if (${b} + 1 == blocks) squares_${name} = is_real ? squares_${name} : zero;
      }
</%def>
## g and t of block `b`, whose squares are those named `now`.
<%def name="change(b, first, now, last, g, t)">
      {
        ${V} sum = squares_${now};
% for by in range(-before, after + 1):
% if by:
        sum += ${neighbours("squares_" + first, "squares_" + now, "squares_" + last, by, block)};
% endif
% endfor
        const ${V} s = sum * ${scale} + ${bias};
        ${g} = ${load(V, "dy + at + (size_t)(%s) * stride" % b, stored("dy"))} * (${re.sub(r"\bT\b", V, power)});
        ${t} = ${g} * x_${now} / s;
        if (${b} + 1 == blocks) ${t} = is_real ? ${t} : zero;
      }
</%def>
kernel __attribute__((vec_type_hint(${V}))) void ${entry}(
    global const ${stored("x")}* restrict x, global const ${stored("dy")}* restrict dy, global ${stored("dx")}* restrict dx,
    int channels, int pixels, int columns) {
  const int blocks = (channels + ${block - 1}) / ${block};
  const size_t stride = (size_t)pixels * ${block};
  const int end = (int)get_global_id(0) * columns + min(columns, pixels - (int)get_global_id(0) * columns);
  const int${block} lane = (int${block})(${lanes});
  // What the lanes past the last channel hold is undefined: it counts as zero.
  const int${block} is_real = lane < channels - (blocks - 1) * ${block};
  const ${V} zero = (${V})(0);
  for (int p = get_global_id(0) * columns; p < end; ++p) {
    const size_t at = (size_t)get_global_id(1) * blocks * stride + (size_t)p * ${block};
    ${V} x_now = zero, x_next = zero, squares_none = zero, squares_now = zero, squares_next = zero;
    ${V} t_before = zero, t_now, g_now;
    ${read("now", "0")}
    ${read("next", "1")}
    ${change("0", "none", "now", "next", "g_now", "t_now")}
    for (int b = 0; b < blocks; ++b) {
      ${V} x_after = zero, squares_after = zero, t_next = zero, g_next = zero;
      ${read("after", "b + 2")}
      if (b + 1 < blocks) ${change("b + 1", "now", "next", "after", "g_next", "t_next")}
      ${V} sum = t_now;
% for by in range(-after, before + 1):
% if by:
      sum += ${neighbours("t_before", "t_now", "t_next", by, block)};
% endif
% endfor
      ${assign(V, "dx + at + b * stride", "g_now - sum * x_now * %s" % factor, stored("dx"))}
      x_now = x_next;
      x_next = x_after;
      squares_now = squares_next;
      squares_next = squares_after;
      t_before = t_now;
      t_now = t_next;
      g_now = g_next;
    }
  }
}

<%doc>
y[o, d, i] = values[1] where indices[o, i] is d, else values[0].

indices (O, inner)     values (off, on)     y (O, depth, inner), `total` elements. A negative index counts from the end; one
outside 0..depth - 1 is on nowhere. One item does `chunk` elements. Index space: (total / chunk).
Parameters: type: an unsigned integer of the element's size; index: the type of the indices, floats are
truncated; single: inner is 1.
</%doc>
<%!
from clconv.lowering.model.ctext import load
%>
<%
  place = "indices + outer" if single else "indices + outer * inner + column + k"
  place_text = "indices[outer * inner + column + k]"
%>
kernel void ${entry}(
    global const ${index}* restrict indices, global const ${type}* restrict values, global ${type}* restrict y,
    int depth, int inner, long total, long chunk) {
  const ${type} off = values[0], on = values[1];
  const long begin = get_global_id(0) * chunk;
  const long end = begin + min(chunk, total - begin);
  long row = begin / inner;
  long column = begin - row * inner;
  long outer = row / depth;
  int d = row - outer * depth;
  for (long at = begin; at < end;) {
    const long left = end - at;
% if single:
    // A line of y: off, but for one place.
    const int run = left < depth - d ? (int)left : depth - d;
    long wanted = (long)${load("float", place, "half") if index == "half" else "indices[outer]"};
    wanted = (wanted < 0 ? wanted + depth : wanted) - d;
    for (int k = 0; k < run; ++k) y[at + k] = off;
    if (wanted >= 0 && wanted < run) y[at + wanted] = on;
    d = 0;
    ++outer;
% else:
    const long run = left < inner - column ? left : inner - column;
    for (long k = 0; k < run; ++k) {
      long wanted = (long)${load("float", place, "half") if index == "half" else place_text};
      wanted = wanted < 0 ? wanted + depth : wanted;
      y[at + k] = d == wanted ? on : off;
    }
    column = 0;
    if (++d == depth) {
      d = 0;
      ++outer;
    }
% endif
    at += run;
  }
}

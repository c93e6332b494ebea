<%doc>
y[o, d, i] = values[1] where indices[o, i] is d, else values[0].

indices (O, inner)     values (off, on)     y (O, depth, inner), `total` elements. A negative index counts from the end; one
outside 0..depth - 1 is on nowhere. One item does `chunk` elements. Index space: (total / chunk).
Parameters: type: an unsigned integer of the element's size; index: the type of the indices, floats are truncated.
</%doc>
<%!
from clconv.lowering.model.ctext import load
%>
<%
  place = "indices + outer * inner + column"
%>
kernel void ${entry}(
    global const ${index}* restrict indices, global const ${type}* restrict values, global ${type}* restrict y,
    int depth, int inner, long total, long chunk) {
  const ${type} off = values[0], on = values[1];
  const long begin = get_global_id(0) * chunk;
  const long end = begin + min(chunk, total - begin);
  for (long at = begin; at < end; ++at) {
    const long row = at / inner;
    const long column = at - row * inner;
    const long outer = row / depth;
    long wanted = (long)${load("float", place, "half") if index == "half" else "indices[outer * inner + column]"};
    wanted = wanted < 0 ? wanted + depth : wanted;
    y[at] = row - outer * depth == wanted ? on : off;
  }
}

<%doc>
Index of the largest or smallest element along the middle axis of x (outer, n, inner), to y (outer, inner),
int64. The first of equals, or the last; a NaN beats every number.

One work-item finds `per_item` elements of y. Index space: (outer * inner / per_item).
Parameters: type: C type of x; width: floats of a vector, 1 for other types; better: ">" or "<"; last: the
last of equals; is_float.
</%doc>
<%!
from clconv.lowering.model.ctext import load, vector_type
%>
<%def name="search(vector, index, take)">
      global const ${stored("x", type)}* source = x + (size_t)row * n * inner + c;
      ${vector} best = ${take("source")};
      ${index} found = (${index})(0);
      for (int k = 1; k < n; ++k) {
        const ${vector} v = ${take("source + (size_t)k * inner")};
% if not is_float:
        const ${index} beats = v ${better}${"=" if last else ""} best;
% elif last:
        const ${index} beats = v ${better}= best || v != v;
% else:
        const ${index} beats = v ${better} best || (v != v && best == best);
% endif
        best = beats ? v : best;
        found = beats ? (${index})(k) : found;
      }
</%def>
kernel void ${entry}(
    global const ${stored("x", type)}* restrict x, global long* restrict y, int n, long inner, long total, long per_item) {
  const long begin = get_global_id(0) * per_item;
  const long end = begin + per_item < total ? begin + per_item : total;
  long row = begin / inner;
  long c = begin - row * inner;
  for (long at = begin; at < end;) {
% if width > 1:
    if (c + ${width} <= inner && at + ${width} <= end) {
<%
  V = vector_type(width)
%>
      ${search(V, vector_type(width, "int"), lambda place: load(V, place, stored("x")))}
% for lane in range(width):
      y[at + ${lane}] = found.s${"%x" % lane};
% endfor
      at += ${width};
      c += ${width};
    } else
% endif
    {
      ${search(type, "int", lambda place: load("float", place, "half") if stored("x") == "half" else "*(%s)" % place)}
      y[at] = found;
      ++at;
      ++c;
    }
    if (c == inner) { c = 0; ++row; }
  }
}

<%doc>
Index of the largest or smallest element along the middle axis of x (outer, n, inner), to y (outer, inner),
int64, and the element itself to values (outer, inner). The first of equals, or the last.

One work-item finds `per_item` elements of y. Index space: (outer * inner / per_item).
Parameters: type: C type of x; width: floats of a vector, 1 for other types; better: ">" or "<"; last: the
last of equals; is_float; nan_wins: a NaN beats every number, else every number beats it; rows: inner is 1, n at least
width, and lanes are neighbours of a row; values, places: which results are wanted.
</%doc>
<%!
from clconv.lowering.model.ctext import assign, element, load, set_element, vector_type
%>
<%
  V, I = vector_type(width), vector_type(width, "int")
  worse = ">" if better == "<" else "<"
  def beats(v, best):
      """Whether v takes the place of best, which came before: two comparisons, of which one is false for NaN."""
      if not is_float:
          return f"{v} {better}{'=' if last else ''} {best}"
      if last and nan_wins:
          return f"({v} {better}= {best} || {v} != {v})"
      if nan_wins:
          return f"(!({v} {worse}= {best}) && {best} == {best})"
      return f"(!({v} {worse}{'' if last else '='} {best}) && {v} == {v})"
  def one(place):
      return load("float", place, "half") if stored("x") == "half" else "*(%s)" % place
  halves = [width >> i for i in range(1, width.bit_length())]
%>
<%def name="search(vector, index, take)">
      global const ${stored("x", type)}* source = x + (size_t)row * n * inner + c;
      ${vector} best = ${take("source")};
      ${index} found = (${index})(0);
      for (int k = 1; k < n; ++k) {
        const ${vector} v = ${take("source + (size_t)k * inner")};
        const ${index} wins = ${beats("v", "best")};
        best = wins ? v : best;
        found = wins ? (${index})(k) : found;
      }
</%def>
<%def name="look(at)">
      {
        const ${V} v = ${load(V, "source + " + at, stored("x"))};
        const ${I} wins = ${beats("v", "best")};
        best = wins ? v : best;
        found = wins ? lanes + ${at} : found;
      }
</%def>
kernel void ${entry}(
    global const ${stored("x", type)}* restrict x, ${"global %s* restrict values, " % stored("values", type) if values else ""}\
${"global long* restrict y, " if places else ""}int n, long inner, long total, long per_item) {
  const long begin = get_global_id(0) * per_item;
  const long end = begin + per_item < total ? begin + per_item : total;
% if rows:
  const ${I} lanes = (${I})(${", ".join(map(str, range(width)))});
  for (long row = begin; row < end; ++row) {
    global const ${stored("x", type)}* source = x + (size_t)row * n;
    ${V} best = ${load(V, "source", stored("x"))};
    ${I} found = lanes;
    int k = ${width};
    for (; k + ${width} <= n; k += ${width}) ${look("k")}
    if (k < n) ${look("(n - %d)" % width)}
    // The best of all lanes, then the index of those lanes that have it.
% for count in halves:
<% whole, half, F = f"best{2 * count if 2 * count < width else ''}", f"best{count}", vector_type(count) %>\
    const ${F} ${half} = ${beats(whole + ".hi", whole + ".lo")} ? ${whole}.hi : ${whole}.lo;
% endfor
    const ${I} has = best == best1 || (best != best && (${V})(best1) != (${V})(best1));
    const ${I} of${width} = has ? found : (${I})(${-1 if last else "0x7FFFFFFF"});
% for count in halves:
    const ${vector_type(count, "int")} of${count} = of${2 * count}.lo ${">" if last else "<"} of${2 * count}.hi ? of${2 * count}.lo : of${2 * count}.hi;
% endfor
% if values:
    ${set_element("values", "row", element("source", "of1", stored("x")), stored("values"))}
% endif
% if places:
    y[row] = of1;
% endif
  }
% else:
  long row = begin / inner;
  long c = begin - row * inner;
  for (long at = begin; at < end;) {
% if width > 1:
    if (c + ${width} <= inner && at + ${width} <= end) {
      ${search(V, I, lambda place: load(V, place, stored("x")))}
% if values:
      ${assign(V, "values + at", "best", stored("values"))}
% endif
% for lane in range(width if places else 0):
      y[at + ${lane}] = found.s${"%x" % lane};
% endfor
      at += ${width};
      c += ${width};
    } else
% endif
    {
      ${search(type, "int", one)}
% if values:
      ${set_element("values", "at", "best", stored("values") if type == "float" else type)}
% endif
% if places:
      y[at] = found;
% endif
      ++at;
      ++c;
    }
    if (c == inner) { c = 0; ++row; }
  }
% endif
}

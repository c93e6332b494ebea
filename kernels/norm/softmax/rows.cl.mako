<%doc>
Softmax or its logarithm along the last axis of float x (outer, n).

  y = exp(x - top) / sum of exp(x - top), or x - top - log(sum), with top the largest element of the row

One work-item computes `rows` rows, some side by side: the largest element of each, then the powers and their sums, then
the quotients. So no row waits for the lanes of another to be joined, and constants are read once for a vector of each.
Where a row is no whole number of vectors, its last one overlaps the one before.
A NaN is left out of `top`, which costs an instruction; its power is NaN, so the sum is, and all that is made of it.
Index space: (outer / rows). Parameters: width of the vectors, at least 2; log; largest, total: the reductions.
</%doc>
<%namespace name="reduce" file="/reduce.mako"/>
<%!
from clconv.lowering.model.ctext import assign, element, load, set_element, store, vector_type
%>
<%
  keep = not log and stored("y") == "float"  # powers; halves of them would be rounded twice
  V = vector_type(width)
  side_by_side = 4

  def larger(r, value):
      return "CLCONV_AT_LEAST%s(tops%d, %s)" % ("" if width == 2 else "_%d" % width, r, value)
  def elements(r, k):
      return load(V, "source%d + %s" % (r, k), stored("x"))
  def power(r, k):
      return "clconv_exp_negative(%s - top%d)" % (elements(r, k), r)
  def result(r, k):
      return "%s - top%d - shift%d" % (elements(r, k), r, r) if log else "%s * scale%d" % (power(r, k), r)
%>
## `count` rows from `first` on.
<%def name="side(count)">
<% rows = range(count) %>
% for r in rows:
    global const ${stored("x")}* const source${r} = x + (size_t)(first + ${r}) * n;
    global ${stored("y")}* const target${r} = y + (size_t)(first + ${r}) * n;
    ${V} tops${r} = (${V})(-INFINITY), sums${r} = (${V})(0), last${r} = sums${r};
    float top${r} = -INFINITY, sum${r} = 0;
% endfor
    for (int k = 0; k < whole; k += ${width}) {
% for r in rows:
      tops${r} = ${larger(r, elements(r, "k"))};
% endfor
    }
    if (whole) {
% for r in rows:
      tops${r} = ${larger(r, elements(r, "end_of_row"))};
      ${reduce.join_lanes(largest, "top%d" % r, "tops%d" % r, width)}
% endfor
    }
    for (int block = 0; block < whole; block += ${64 * width}) {
      const int stop = whole - block < ${64 * width} ? whole : block + ${64 * width};
% for r in rows:
      ${V} part${r} = (${V})(0);
% endfor
      for (int k = block; k < stop; k += ${width}) {
% for r in rows:
        const ${V} power${r} = ${power(r, "k")};
% endfor
% for r in rows:
% if keep:
        ${store(V, "target%d + k" % r)} = power${r};
% endif
        part${r} += power${r};
% endfor
      }
% for r in rows:
      sums${r} += part${r};
% endfor
    }
    if (is_cut) { // what of the last vector is not summed yet
% for r in rows:
      last${r} = ${power(r, "end_of_row")};
      sums${r} += lanes >= whole - end_of_row ? last${r} : (${V})(0);
% endfor
    }
% for r in rows:
    if (whole) {
      ${reduce.join_lanes(total, "sum%d" % r, "sums%d" % r, width)}
    } else {
      for (int k = 0; k < n; ++k) {
        const float v = ${element("source%d" % r, "k", stored("x"))};
        top${r} = v > top${r} ? v : top${r};
      }
      for (int k = 0; k < n; ++k) sum${r} += clconv_exp_negative(${element("source%d" % r, "k", stored("x"))} - top${r});
    }
    const float ${"shift%d = log(sum%d)" % (r, r) if log else "scale%d = 1.0f / sum%d" % (r, r)};
% endfor
    for (int k = 0; k < whole; k += ${width}) {
% for r in rows:
      ${assign(V, "target%d + k" % r, load(V, "target%d + k" % r) + " * scale%d" % r if keep else result(r, "k"), stored("y"))}
% endfor
    }
    if (is_cut) {
% for r in rows:
      ${assign(V, "target%d + end_of_row" % r, "last%d * scale%d" % (r, r) if keep else result(r, "end_of_row"), stored("y"))}
% endfor
    }
    for (int k = whole ? n : 0; k < n; ++k) {
% for r in rows:
      const float v${r} = ${element("source%d" % r, "k", stored("x"))} - top${r};
      ${set_element("target%d" % r, "k", "v%d - shift%d" % (r, r) if log else "clconv_exp_negative(v%d) * scale%d" % (r, r), stored("y"))}
% endfor
    }
</%def>
kernel __attribute__((vec_type_hint(${V}))) void ${entry}(
    global const ${stored("x")}* restrict x, global ${stored("y")}* restrict y, int outer, int n, int rows) {
  int first = get_global_id(0) * rows;
  const int end = outer - first < rows ? outer : first + rows;
  const int whole = n / ${width} * ${width};
  const int end_of_row = n - ${width}, is_cut = whole && whole < n;
  const int${width} lanes = (int${width})(${", ".join(map(str, range(width)))});
  for (; first + ${side_by_side} <= end; first += ${side_by_side}) {
    ${side(side_by_side)}
  }
  for (; first < end; ++first) {
    ${side(1)}
  }
}

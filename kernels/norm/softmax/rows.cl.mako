<%doc>
Softmax or its logarithm along the last axis of float x (outer, n).

  y = exp(x - top) / sum of exp(x - top), or x - top - log(sum), with top the largest element of the row

One work-item computes `rows` rows, four at a time: the largest element of each, then the powers and their sums, then the
quotients. So no row waits for the lanes of the one before to be joined.
Index space: (outer / rows). Parameters: width of the vectors, at least 2; log; largest, total: the reductions.
</%doc>
<%namespace name="reduce" file="/reduce.mako"/>
<%!
from clconv.lowering.model.ctext import assign, element, load, set_element, store, vector_type
%>
<%
  keep = not log and stored("y") == "float"  # powers; halves of them would be rounded twice
  V = vector_type(width)
  at_once = 4
%>
kernel __attribute__((vec_type_hint(${V}))) void ${entry}(
    global const ${stored("x")}* restrict x, global ${stored("y")}* restrict y, int outer, int n, int rows) {
  const int end = (int)get_global_id(0) * rows + min(rows, outer - (int)get_global_id(0) * rows);
  const int vectors = n / ${width};
  const int whole = vectors * ${width};
  for (int first = get_global_id(0) * rows; first < end; first += ${at_once}) {
    const int count = min(${at_once}, end - first);
    float top_of[${at_once}], sum_of[${at_once}];
    for (int r = 0; r < count; ++r) {
      global const ${stored("x")}* source = x + (size_t)(first + r) * n;
      float top;
      {
        ${reduce.accumulate(largest, "tops", V, "source", width, "vectors")}
        if (whole && whole < n) { // the last vector of the row
          const ${V} last = ${load(V, "source + n - %d" % width, stored("x"))};
          tops = ${largest.text("join", V, a="tops", b="last")};
        }
        ${reduce.join_lanes(largest, "top", "tops", width)}
      }
      for (int k = whole ? n : 0; k < n; ++k)
        top = ${largest.text("join", "float", a="top", b=element("source", "k", stored("x")))};
      top_of[r] = top;
    }
    for (int r = 0; r < count; ++r) {
      global const ${stored("x")}* source = x + (size_t)(first + r) * n;
% if keep:
      global ${stored("y")}* target = y + (size_t)(first + r) * n;
% endif
      const float top = top_of[r];
      ${V} sums = (${V})(0);
      for (int block = 0; block < whole; block += ${64 * width}) {
        const int stop = min(block + ${64 * width}, whole);
        ${V} part = (${V})(0), other = part;
        int k = block;
% if width < 16: # few registers: two vectors share what is read of constants
        for (; k + ${2 * width} <= stop; k += ${2 * width}) {
% for v in range(2):
          const ${V} power${v} = clconv_exp_negative(${load(V, "source + k + %d" % (v * width), stored("x"))} - top);
% endfor
% if keep:
% for v in range(2):
          ${store(V, "target + k + %d" % (v * width))} = power${v};
% endfor
% endif
          part += power0;
          other += power1;
        }
% endif
        for (; k < stop; k += ${width}) {
          const ${V} power = clconv_exp_negative(${load(V, "source + k", stored("x"))} - top);
% if keep:
          ${store(V, "target + k")} = power;
% endif
          part += power;
        }
        sums += part + other;
      }
      if (whole && whole < n) { // the last vector of the row, less what was summed already
        const ${V} power = clconv_exp_negative(${load(V, "source + n - %d" % width, stored("x"))} - top);
% if keep:
        ${store(V, "target + n - %d" % width)} = power;
% endif
        sums += (int${width})(${", ".join(map(str, range(width)))}) >= whole + ${width} - n ? power : (${V})(0);
      }
      float sum;
      ${reduce.join_lanes(total, "sum", "sums", width)}
      for (int k = whole ? n : 0; k < n; ++k) {
        const float power = clconv_exp_negative(${element("source", "k", stored("x"))} - top);
% if keep:
        target[k] = power;
% endif
        sum += power;
      }
      sum_of[r] = sum;
    }
    for (int r = 0; r < count; ++r) {
% if not keep:
      global const ${stored("x")}* source = x + (size_t)(first + r) * n;
      const float top = top_of[r];
% endif
      global ${stored("y")}* target = y + (size_t)(first + r) * n;
% if log:
      const float shift = log(sum_of[r]);
      for (int k = 0; k < whole; k += ${width})
        ${assign(V, "target + k", load(V, "source + k", stored("x")) + " - top - shift", stored("y"))}
      for (int k = whole; k < n; ++k) ${set_element("target", "k", element("source", "k", stored("x")) + " - top - shift", stored("y"))}
% else:
      const float scale = 1.0f / sum_of[r];
      for (int k = 0; k < whole; k += ${width})
% if keep:
        ${store(V, "target + k")} = ${load(V, "target + k")} * scale;
      for (int k = whole; k < n; ++k) target[k] *= scale;
% else:
        ${assign(V, "target + k", "clconv_exp_negative(%s - top) * scale" % load(V, "source + k", "half"), "half")}
      for (int k = whole; k < n; ++k) ${set_element("target", "k", "clconv_exp_negative(%s - top) * scale" % element("source", "k", "half"), "half")}
% endif
% endif
    }
  }
}

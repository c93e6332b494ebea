<%doc>
Softmax or its logarithm along the middle axis of float x (outer, n, inner), as in softmax/rows.

One work-item computes `columns` inner indices of one outer one. Index space: (inner / columns, outer).
Parameters: width of the vectors; log; largest: the reduction.
</%doc>
<%namespace name="reduce" file="/reduce.mako"/>
<%!
from clconv.lowering.model.ctext import assign, load, store, vector_type
%>
<%def name="column(V)">
      global const ${stored("x")}* source = x + (size_t)row * n * inner + c;
      global ${stored("y")}* target = y + (size_t)row * n * inner + c;
      ${reduce.accumulate(largest, "top", V, "source", "inner", "n")}
      ${V} sum = (${V})(0);
      for (int block = 0; block < n; block += 64) {
        const int stop = min(block + 64, n);
        ${V} part = (${V})(0);
        for (int k = block; k < stop; ++k) {
          const ${V} power = clconv_exp_negative(${load(V, "source + (size_t)k * inner", stored("x"))} - top);
% if not log and stored("y") == "float":
          ${store(V, "target + (size_t)k * inner")} = power;
% endif
          part += power;
        }
        sum += part;
      }
% if log:
      const ${V} shift = log(sum);
      for (int k = 0; k < n; ++k)
        ${assign(V, "target + (size_t)k * inner", load(V, "source + (size_t)k * inner", stored("x")) + " - top - shift", stored("y"))}
% elif stored("y") == "half":
      const ${V} scale = 1.0f / sum;
      for (int k = 0; k < n; ++k)  // powers kept as halves would be rounded twice
        ${assign(V, "target + (size_t)k * inner", "clconv_exp_negative(%s - top) * scale" % load(V, "source + (size_t)k * inner", "half"), "half")}
% else:
      const ${V} scale = 1.0f / sum;
      for (int k = 0; k < n; ++k)
        ${store(V, "target + (size_t)k * inner")} = ${load(V, "target + (size_t)k * inner")} * scale;
% endif
</%def>
kernel void ${entry}(
    global const ${stored("x")}* restrict x, global ${stored("y")}* restrict y, int n, int inner, int columns) {
  const int row = get_global_id(1);
  const int end = (int)get_global_id(0) * columns + min(columns, inner - (int)get_global_id(0) * columns);
  int c = get_global_id(0) * columns;
  for (; c + ${width} <= end; c += ${width}) {
    ${column(vector_type(width))}
  }
% if width > 1:
  for (; c < end; ++c) {
    ${column("float")}
  }
% endif
}

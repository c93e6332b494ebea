<%doc>
Packs the right-hand matrices of a product into panels of columns for gemm/blocked.

b       (batch, inner, columns), or (batch, columns, inner) if transposed, row-major
panels  (batch, columns / width, inner, width), zeros behind the last column
One work-item packs one panel; index space: (columns / width, batch).
Parameters: block 4, 8, 16 divides width; transposed.
</%doc>
<%!
from clconv.lowering.model.ctext import element, load, store, vector_type
%>
<%
  V = vector_type(block)
%>
kernel __attribute__((vec_type_hint(${V}))) void ${entry}(
    global const ${stored("b")}* restrict b, global float* restrict panels, int inner, int columns) {
  const int chunk = get_global_id(0);
  const size_t batch = get_global_id(1);
  const int first = chunk * ${width};
  const int lanes = min(columns - first, ${width});
  global float* panel = panels + (batch * get_global_size(0) + chunk) * inner * ${width};
% if transposed:
  global const ${stored("b")}* source = b + (batch * columns + first) * inner;
% else:
  global const ${stored("b")}* source = b + batch * inner * columns + first;
% endif
  if (lanes == ${width}) {
    for (int k = 0; k < inner; ++k) {
% if transposed:
% for lane in range(width):
      panel[(size_t)k * ${width} + ${lane}] = ${element("source", "(size_t)%d * inner + k" % lane, stored("b"))};
% endfor
% else:
% for v in range(0, width, block):
      ${store(V, "panel + (size_t)k * %d + %d" % (width, v))} = ${load(V, "source + (size_t)k * columns + %d" % v, stored("b"))};
% endfor
% endif
    }
    return;
  }
  for (int k = 0; k < inner; ++k)
    for (int lane = 0; lane < ${width}; ++lane)
      panel[(size_t)k * ${width} + lane] =
          lane < lanes ? ${element("source", "(size_t)lane * inner + k" if transposed else "(size_t)k * columns + lane", stored("b"))} : 0.0f;
}

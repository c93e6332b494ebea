<%doc>
As many bytes a second as the device moves: y = x, `total` floats, `per_item` of them for each work-item.

Both are multiples of `width`. Index space: (total / per_item). Parameters: width of the vectors 1, 2, 4, 8, 16.
</%doc>
<%!
from clconv.lowering.model.ctext import load, store, vector_type
%>
<%
  assert width in (1, 2, 4, 8, 16)
  V = vector_type(width)
%>
kernel __attribute__((vec_type_hint(${V}))) void ${entry}(
    global const float* restrict x, global float* restrict y, long total, long per_item) {
  const long begin = get_global_id(0) * per_item;
  const long end = begin + per_item < total ? begin + per_item : total;
  for (long i = begin; i < end; i += ${width}) {
    ${store(V, "y + i")} = ${load(V, "x + i")};
  }
}

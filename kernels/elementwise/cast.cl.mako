<%doc>
Change of element type: floats are cut towards zero, anything to bool is "not zero".

x, y: `total` elements each, in whatever layout. One work-item converts `per_item` elements.
Index space: (total / per_item). Parameters: source, target: C types, half among them; conversion: C text of
the target value from `value`, which is a float where the source is half; width: elements of a vector, more than 1
only between float and half.
</%doc>
<%!
from clconv.lowering.model.ctext import assign, element, load, set_element, vector_type
%>\
<%
  read = "float" if source == "half" else source
%>
kernel void ${entry}(
    global const ${source}* restrict x, global ${target}* restrict y, long total, long per_item) {
  const long begin = get_global_id(0) * per_item;
  const long end = begin + per_item < total ? begin + per_item : total;
% if width > 1:
<%
  V = vector_type(width)
%>\
  long i = begin;
  for (; i + ${width} <= end; i += ${width}) {
    ${assign(V, "y + i", load(V, "x + i", source), target)}
  }
  for (; i < end; ++i) {
    ${set_element("y", "i", element("x", "i", source), target)}
  }
% else:
  for (long i = begin; i < end; ++i) {
    const ${read} value = ${"vload_half(i, x)" if source == "half" else "x[i]"};
% if target == "half":
    vstore_half_rte(${conversion}, i, y);
% else:
    y[i] = ${conversion};
% endif
  }
% endif
}

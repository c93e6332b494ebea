<%doc>
Element-wise terms over float tensors that lie alike, element by element, in whatever layout.

Inputs and y: `total` elements each. One work-item computes `per_item` elements, a multiple of `width`.
Index space: (total / per_item). Parameters: width of the vectors 2..16; inputs: names; terms: expressions, the
first of which read the inputs; aligned: whether vectors are read where the type wants them.
</%doc>
<%namespace name="common" file="/common.mako"/>
<%!
from clconv.lowering.model.ctext import assign, set_element, vector_type
%>
<%
  V = vector_type(width)
%>
kernel __attribute__((vec_type_hint(${V}))) void ${entry}(
% for name in inputs:
    global const ${stored(name)}* restrict ${name},
% endfor
    global ${stored("y")}* restrict y, long total, long per_item) {
  const long begin = get_global_id(0) * per_item;
  const long end = begin + per_item < total ? begin + per_item : total;
  long i = begin;
  for (; i + ${width} <= end; i += ${width}) {
    ${V} value;
    ${common.apply_epilogue(terms, "value", V, "0", "i", aligned=aligned)}
    ${assign(V, "y + i", "value", stored("y"), aligned)}
  }
  for (; i < end; ++i) {
    float value;
    ${common.apply_epilogue(terms, "value", "float", "0", "i")}
    ${set_element("y", "i", "value", stored("y"))}
  }
}

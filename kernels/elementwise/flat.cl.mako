<%doc>
Element-wise expression over float tensors that lie alike, element by element, in whatever layout.

x0, x1, ... and y: `total` elements each. One work-item computes `chunk` elements, a multiple of `width`.
Index space: (total / chunk). Parameters: width of the vectors; inputs: names; terms: the expressions, the
first of which reads the inputs; epilogue_names: further operands.
</%doc>
<%namespace name="common" file="/common.mako"/>
<%!
from clconv.lowering.ctext import load, store, vector_type
%>
<%
  V = vector_type(width)
%>
kernel void ${entry}(
% for name in inputs:
    global const float* restrict ${name},
% endfor
    global float* restrict y, int total, int chunk${common.epilogue_parameters(epilogue_names)}) {
  const int begin = get_global_id(0) * chunk;
  const int end = min(begin + chunk, total);
  int i = begin;
  for (; i + ${width} <= end; i += ${width}) {
    ${V} value;
    ${common.apply_epilogue(terms, "value", V, "0", "i")}
    ${store(V, "y + i")} = value;
  }
  for (; i < end; ++i) {
    float value;
    ${common.apply_epilogue(terms, "value", "float", "0", "i")}
    y[i] = value;
  }
}

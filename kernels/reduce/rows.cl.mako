<%doc>
Reduction of the last axis of float x (outer, n) to y (outer).

One work-item reduces `rows` rows, vector by vector and then lane by lane. Index space: (outer / rows).
Parameters: width of the vectors, at least 2; op: the reduction; top: the reduction whose result op
subtracts, or None.
</%doc>
<%namespace name="reduce" file="/reduce.mako"/>
<%!
from clconv.lowering.ctext import vector_type
%>
<%
  V = vector_type(width)
%>
## Reduces the row into a float `name`; subtrahend: what `top` is, for the vectors.
<%def name="row_of(op, name, shifted)">
    float ${name};
    {
% if shifted:
      const float top_of_row = top;
      const ${V} top = (${V})(top_of_row);
% endif
      ${reduce.accumulate(op, "lanes", V, "source", width, "vectors")}
      float a_ = ${op.text("start", "float")};
% for lane in range(width):
      a_ = ${op.text("join", "float", a="a_", b="lanes.s%x" % lane)};
% endfor
      ${name} = a_;
    }
    for (int k = vectors * ${width}; k < n; ++k) {
      const float v = source[k];
      ${name} = ${op.joined(name, "v", "float")};
    }
</%def>
kernel void ${entry}(
    global const float* restrict x, global float* restrict y, int outer, int n, int rows) {
  const int end = min((int)(get_global_id(0) + 1) * rows, outer);
  const int vectors = n / ${width};
  for (int row = get_global_id(0) * rows; row < end; ++row) {
    global const float* source = x + (size_t)row * n;
% if top is not None:
    ${row_of(top, "top", False)}
    top = ${op.text("shift", "float")};
% endif
    ${row_of(op, "total", top is not None)}
    y[row] = ${op.text("finish", "float", a="total")};
  }
}

<%doc>
Normalisation of each channel of each image on channel blocks, as in norm/rows.

x, y (batch * blocks, pixels, block)    scale, bias (blocks, block)
One work-item normalises one block of channels of one image. Index space: (batch * blocks).
Parameters: block; mean, measure: reductions; rest: as there.
</%doc>
<%namespace name="reduce" file="/reduce.mako"/>
<%!
from clconv.lowering.model.ctext import assign, load, vector_type
%>
<%
  V = vector_type(block)
%>
kernel __attribute__((vec_type_hint(${V}))) void ${entry}(
    global const ${stored("x")}* restrict x, global const float* restrict scale, global const float* restrict bias,
    global ${stored("y")}* restrict y, int blocks, int n) {
  const int row = get_global_id(0);
  const int channel = row % blocks * ${block};
  global const ${stored("x")}* source = x + (size_t)row * n * ${block};
  global ${stored("y")}* target = y + (size_t)row * n * ${block};
  ${reduce.accumulate(mean, "top", V, "source", block, "n")}
  top = ${mean.text("finish", V, a="top")};
  ${reduce.accumulate(measure, "factor", V, "source", block, "n")}
  ${V} rest = (${V})(0);
  if (${" || ".join(rest.needed("top.s%x" % lane, "factor.s%x" % lane) for lane in range(block))}) {
    ${reduce.accumulate(rest.mean, "rest_", V, "source", block, "n")}
    rest = ${rest.mean.text("finish", V, a="rest_")};
    ${reduce.accumulate(rest.measure, "factor_", V, "source", block, "n")}
    factor = factor_;
  }
  factor = ${measure.text("finish", V, a="factor")};
  const ${V} a = factor * ${load(V, "scale + channel")};
  const ${V} b = ${load(V, "bias + channel")};
  for (int p = 0; p < n; ++p)
    ${assign(V, "target + (size_t)p * %d" % block, "(%s - top - rest) * a + b" % load(V, "source + (size_t)p * %d" % block, stored("x")), stored("y"))}
}

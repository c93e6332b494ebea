<%doc>
Normalisation along the last axis of float x (outer, n), n = segments * length.

  y = (x - mean) * factor * scale + bias     factor: 1 / deviation, or another measure's inverse

The mean is the sum of two floats, `top` and `rest`: what `top` loses by rounding is found where it is large beside the
deviation.

scale, bias: one value for each element of a row (n), or for each segment of a row (period * segments), taken
up again every `period` rows. One work-item normalises `rows` rows. Index space: (outer / rows).
Parameters: width of the vectors, at least 2; mean: the reduction to the mean, or None; measure: the
reduction to the factor; rest: with a mean, a lowering.ops.norm.specification.Rest; affine: "none", "element" or "segment"; bias; keep_mean, keep_factor: whether they
are outputs too.
</%doc>
<%namespace name="reduce" file="/reduce.mako"/>
<%!
from clconv.lowering.model.ctext import assign, element, load, set_element, vector_type
%>
<%
  V = vector_type(width)
%>
kernel __attribute__((vec_type_hint(${V}))) void ${entry}(
    global const ${stored("x")}* restrict x
% if affine != "none":
    , global const ${stored("scale")}* restrict scale
% endif
% if bias:
    , global const ${stored("bias")}* restrict bias
% endif
    , global ${stored("y")}* restrict y
% if keep_mean:
    , global ${stored("kept_mean")}* restrict kept_mean
% endif
% if keep_factor:
    , global ${stored("kept_factor")}* restrict kept_factor
% endif
    , int outer, int segments, int length, int period, int rows) {
  const int end = (int)get_global_id(0) * rows + min(rows, outer - (int)get_global_id(0) * rows);
  const int n = segments * length;
  const int vectors = n / ${width};
  for (int row = get_global_id(0) * rows; row < end; ++row) {
    global const ${stored("x")}* source = x + (size_t)row * n;
    global ${stored("y")}* target = y + (size_t)row * n;
% if mean is not None:
    ${reduce.accumulate_row(mean, "top", width)}
    top = ${mean.text("finish", "float", a="top")};
% else:
    const float top = 0;
% endif
    ${reduce.accumulate_row(measure, "factor", width, ("top",) if mean is not None else ())}
% if mean is not None:
    float rest = 0;
    if (${rest.needed("top", "factor")}) {
      ${reduce.accumulate_row(rest.mean, "rest_", width, ("top",))}
      rest = ${rest.mean.text("finish", "float", a="rest_")};
      ${reduce.accumulate_row(rest.measure, "factor_", width, ("top", "rest"))}
      factor = factor_;
    }
% else:
    const float rest = 0;
% endif
    factor = ${measure.text("finish", "float", a="factor")};
% if keep_mean:
    ${set_element("kept_mean", "row", "top + rest", stored("kept_mean"))}
% endif
% if keep_factor:
    ${set_element("kept_factor", "row", "factor", stored("kept_factor"))}
% endif
% if affine == "element":
    int k = 0;
    for (; k < vectors * ${width}; k += ${width})
      ${assign(V, "target + k", "(%s - top - rest) * factor * %s" % (load(V, "source + k", stored("x")), load(V, "scale + k", stored("scale")))
               + (" + " + load(V, "bias + k", stored("bias")) if bias else ""), stored("y"))}
    for (; k < n; ++k)
      ${set_element("target", "k", "(%s - top - rest) * factor * %s" % (element("source", "k", stored("x")), element("scale", "k", stored("scale")))
                    + (" + " + element("bias", "k", stored("bias")) if bias else ""), stored("y"))}
% else:
    for (int segment = 0; segment < segments; ++segment) {
% if affine == "segment":
      const int at = row % period * segments + segment;
      const float a = factor * ${element("scale", "at", stored("scale"))};
% else:
      const float a = factor;
% endif
      const float b = ${element("bias", "at", stored("bias")) if bias else "0"};
      const int stop = (segment + 1) * length;
      int k = segment * length;
      for (; k + ${width} <= stop; k += ${width})
        ${assign(V, "target + k", "(%s - top - rest) * a + b" % load(V, "source + k", stored("x")), stored("y"))}
      for (; k < stop; ++k) ${set_element("target", "k", "(%s - top - rest) * a + b" % element("source", "k", stored("x")), stored("y"))}
    }
% endif
  }
}

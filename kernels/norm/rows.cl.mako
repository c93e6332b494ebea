<%doc>
Normalisation along the last axis of float x (outer, n), n = segments * length.

  y = (x - mean) * factor * scale + bias     factor: 1 / deviation, or another measure's inverse

scale, bias: one value for each element of a row (n), or for each segment of a row (period * segments), taken
up again every `period` rows. One work-item normalises `rows` rows. Index space: (outer / rows).
Parameters: width of the vectors, at least 2; mean: the reduction to the mean, or None; measure: the
reduction to the factor; affine: "none", "element" or "segment"; bias; keep_mean, keep_factor: whether they
are outputs too.
</%doc>
<%namespace name="reduce" file="/reduce.mako"/>
<%!
from clconv.lowering.ctext import load, store, vector_type
%>
<%
  V = vector_type(width)
%>
kernel __attribute__((vec_type_hint(${V}))) void ${entry}(
    global const float* restrict x
% if affine != "none":
    , global const float* restrict scale
% endif
% if bias:
    , global const float* restrict bias
% endif
    , global float* restrict y
% if keep_mean:
    , global float* restrict kept_mean
% endif
% if keep_factor:
    , global float* restrict kept_factor
% endif
    , int outer, int segments, int length, int period, int rows) {
  const int end = min((int)(get_global_id(0) + 1) * rows, outer);
  const int n = segments * length;
  const int vectors = n / ${width};
  for (int row = get_global_id(0) * rows; row < end; ++row) {
    global const float* source = x + (size_t)row * n;
    global float* target = y + (size_t)row * n;
% if mean is not None:
    ${reduce.accumulate_row(mean, "top", width)}
    top = ${mean.text("finish", "float", a="top")};
% else:
    const float top = 0;
% endif
    ${reduce.accumulate_row(measure, "factor", width, mean is not None)}
    factor = ${measure.text("finish", "float", a="factor")};
% if keep_mean:
    kept_mean[row] = top;
% endif
% if keep_factor:
    kept_factor[row] = factor;
% endif
% if affine == "element":
    int k = 0;
    for (; k < vectors * ${width}; k += ${width})
      ${store(V, "target + k")} = (${load(V, "source + k")} - top) * factor * ${load(V, "scale + k")}\
${" + " + load(V, "bias + k") if bias else ""};
    for (; k < n; ++k)
      target[k] = (source[k] - top) * factor * scale[k]${" + bias[k]" if bias else ""};
% else:
    for (int segment = 0; segment < segments; ++segment) {
% if affine == "segment":
      const int at = row % period * segments + segment;
      const float a = factor * scale[at];
% else:
      const float a = factor;
% endif
      const float b = ${"bias[at]" if bias else "0"};
      const int stop = (segment + 1) * length;
      int k = segment * length;
      for (; k + ${width} <= stop; k += ${width})
        ${store(V, "target + k")} = (${load(V, "source + k")} - top) * a + b;
      for (; k < stop; ++k) target[k] = (source[k] - top) * a + b;
    }
% endif
  }
}

<%doc>
Normalisation along the last axis of float x (outer, n), n = segments * length, as in norm/rows, for GPUs: the
work-items of a group share rows and join their parts in local memory.

  y = (x - mean) * factor * scale + bias     factor: 1 / deviation, or another measure's inverse

scale, bias: one value for each element of a row (n), or for each segment of a row (period * segments), taken up
again every `period` rows. Index space: local (work_split.local); as many groups as the rows need. inner is 1.
If lines are split, rows are cut into chunks as in reduce/parts, which made top_parts and factor_parts, and the index
space is local (work_split.local, 1), as many groups as the rows need by splits.
Parameters: work_split: see group; mean: the reduction to the mean, or None; measure: the reduction to the factor;
rest: with a mean, a lowering.ops.norm.specification.Rest; affine: "none", "element" or "segment"; bias; keep_mean, keep_factor: whether they are outputs too.
</%doc>
<%namespace name="group" file="/group.mako"/>
<%!
from clconv.lowering.model.ctext import assign, element, load, set_element, vector_type
%>
<%
  V = vector_type(work_split.width)
  first = "part == 0 && get_group_id(1) == 0" if work_split.split else "part == 0"
%>
${group.functions(work_split)}
kernel __attribute__((reqd_work_group_size(${work_split.local}, 1, 1))) void ${entry}(
    global const ${stored("x")}* restrict x
% if work_split.split:
% if mean is not None:
    , global const float* restrict top_parts, global const float* restrict rest_parts
% endif
    , global const float* restrict factor_parts
% endif
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
    , int outer, int n, int inner${", int chunk, int splits" if work_split.split else ""}, int segments, int length, int period) {
  ${group.memory("float", work_split.local)}
% if mean is not None and not work_split.split:
  local int again_;
% endif
  ${group.place(work_split)}
% if work_split.split:
% if mean is not None:
  ${group.gather(work_split, mean, "top", "top_parts")}
  ${group.gather(work_split, rest.mean, "rest", "rest_parts")}
% else:
  const float top = 0, rest = 0;
% endif
  ${group.gather(work_split, measure if mean is None else rest.squares, "factor", "factor_parts")}
% else:
% if mean is not None:
  ${group.reduce(work_split, mean, "top")}
  top = ${mean.text("finish", "float", a="top")};
% else:
  const float top = 0, rest = 0;
% endif
  ${group.reduce(work_split, measure, "factor")}
% if mean is not None:
  float rest = 0;
  if (id == 0) again_ = 0;
  barrier(CLK_LOCAL_MEM_FENCE);
  if (${rest.needed("top", "factor")}) again_ = 1;
  barrier(CLK_LOCAL_MEM_FENCE);
  if (again_) { // for all of the group, because of its barriers
    ${group.reduce(work_split, rest.mean, "rest_")}
    rest = ${rest.mean.text("finish", "float", a="rest_")};
    ${group.reduce(work_split, rest.measure, "factor_")}
    factor = factor_;
  }
% endif
  factor = ${measure.text("finish", "float", a="factor")};
% endif
  if (!there) return;
% if keep_mean:
  if (${first}) ${set_element("kept_mean", "row", "rest == rest ? top + rest : top", stored("kept_mean"))}
% endif
% if keep_factor:
  if (${first}) ${set_element("kept_factor", "row", "factor", stored("kept_factor"))}
% endif
  ${group.each(work_split)}
    ${V} value = (${group.elements(work_split, "x")} - top - rest) * factor;
% if affine == "element":
    value = value * ${load(V, "scale + k", stored("scale"), True)}${" + " + load(V, "bias + k", stored("bias"), True) if bias else ""};
% elif affine == "segment":
% for lane in range(work_split.width):
    {
      const int at = row % period * segments + (k + ${lane}) / length;
      value${".s%d" % lane if work_split.width > 1 else ""} = value${".s%d" % lane if work_split.width > 1 else ""} * ${element("scale", "at", stored("scale"))}${" + " + element("bias", "at", stored("bias")) if bias else ""};
    }
% endfor
% endif
    ${assign(V, "y + from + k", "value", stored("y"), True)}
  }
}

<%doc>
Softmax or its logarithm along the middle axis of float x (outer, n, inner), for GPUs: the work-items of a group
share lines and join their parts in local memory.

  y = exp(x - top) / sum of exp(x - top), or x - top - log(sum), with top the largest element of the line

Index space: local (work_split.local); as many groups as the lines need. If lines are split, lines are cut into chunks
as in reduce/parts, which made top_parts and total_parts: local (work_split.local, 1), by splits.
Parameters: work_split: see group; log; largest, sum: the reductions; the latter reads `top`.
</%doc>
<%namespace name="group" file="/group.mako"/>
<%!
from clconv.lowering.model.ctext import assign, vector_type
%>
<%
  V = vector_type(work_split.width)
  place = "y + from + k" if work_split.width > 1 else "y + from + (size_t)k * inner"
%>
${group.functions(work_split)}
kernel __attribute__((reqd_work_group_size(${work_split.local}, 1, 1))) void ${entry}(
    global const ${stored("x")}* restrict x,
% if work_split.split:
    global const float* restrict top_parts, global const float* restrict total_parts,
% endif
    global ${stored("y")}* restrict y, int outer, int n, int inner${", int chunk, int splits" if work_split.split else ""}) {
  ${group.memory("float", work_split.local)}
  ${group.place(work_split)}
% if work_split.split:
  ${group.gather(work_split, largest, "top", "top_parts")}
  ${group.gather(work_split, sum, "total", "total_parts")}
% else:
  ${group.reduce(work_split, largest, "top")}
  ${group.reduce(work_split, sum, "total")}
% endif
  if (!there) return;
% if log:
  const float shift = log(total);
% else:
  const float scale = 1.0f / total;
% endif
  ${group.each(work_split)}
    const ${V} v = ${group.elements(work_split, "x")};
% if log:
    const ${V} value = v - top - shift;
% else:
    const ${V} value = clconv_exp(v - top) * scale;
% endif
    ${assign(V, place, "value", stored("y"), True)}
  }
}

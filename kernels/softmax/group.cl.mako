<%doc>
Softmax or its logarithm along the middle axis of float x (outer, n, inner), for GPUs: the work-items of a group
share lines and join their parts in local memory.

  y = exp(x - top) / sum of exp(x - top), or x - top - log(sum), with top the largest element of the line

Index space: local (share.local); as many groups as the lines need.
Parameters: share: see group; log; largest, sum: the reductions; the latter reads `top`.
</%doc>
<%namespace name="group" file="/group.mako"/>
<%!
from clconv.lowering.ctext import assign, vector_type
%>
<%
  V = vector_type(share.width)
  place = "y + from + k" if share.width > 1 else "y + from + (size_t)k * inner"
%>
kernel __attribute__((reqd_work_group_size(${share.local}, 1, 1))) void ${entry}(
    global const ${stored("x")}* restrict x, global ${stored("y")}* restrict y, int outer, int n, int inner) {
  ${group.memory("float", share.local)}
  ${group.place(share)}
  ${group.reduce(share, largest, "top")}
  ${group.reduce(share, sum, "total")}
  if (!there) return;
% if log:
  const float shift = top + log(total);
% else:
  const float scale = 1.0f / total;
% endif
  ${group.each(share)}
    const ${V} v = ${group.elements(share, "x")};
% if log:
    const ${V} value = v - shift;
% else:
    const ${V} value = clconv_exp(v - top) * scale;
% endif
    ${assign(V, place, "value", stored("y"), True)}
  }
}

<%doc>
Reduction of the middle axis of float x (outer, n, inner) to y (outer, inner), for GPUs: the work-items of a group
share lines and join their parts in local memory.

Index space: local (work_split.local); as many groups as the lines need. channels: axis 1 of y, and how many elements
one step along it is, for the epilogue.
Parameters: work_split: see group; op: the reduction; top: the reduction whose result op subtracts, or None; epilogue.
</%doc>
<%namespace name="common" file="/common.mako"/>
<%namespace name="group" file="/group.mako"/>
<%!
from clconv.lowering.model.ctext import set_element
%>
${group.functions(work_split)}
kernel __attribute__((reqd_work_group_size(${work_split.local}, 1, 1))) void ${entry}(
    global const ${stored("x")}* restrict x, global ${stored("y")}* restrict y, int outer, int n, int inner,
    int channels, int channel_size${common.epilogue_parameters(epilogue_names)}) {
  ${group.memory("float", work_split.local)}
  ${group.place(work_split)}
% if top is not None:
  ${group.reduce(work_split, top, "top")}
  top = ${op.text("shift", "float")};
% endif
  ${group.reduce(work_split, op, "total")}
  if (there && part == 0) {
    float value = ${op.text("finish", "float", a="total")};
    const int channel = line / channel_size % channels;
    ${common.apply_epilogue(epilogue, "value", "float", "channel", "line")}
    ${set_element("y", "line", "value", stored("y"))}
  }
}

<%doc>
The end of a reduction whose parts reduce/parts left, for GPUs: y (outer, inner) from parts (splits, outer, inner).

n: elements that were reduced to one. channels, channel_size: see reduce/group. Index space: local (work_split.local); as
many groups as the lines need.
Parameters: work_split: how the items of a group share the parts of a line; op: the reduction; top: the one of top_parts,
or None; epilogue.
</%doc>
<%namespace name="common" file="/common.mako"/>
<%namespace name="group" file="/group.mako"/>
<%!
from clconv.lowering.model.ctext import set_element
%>
${group.functions(work_split)}
kernel __attribute__((reqd_work_group_size(${work_split.local}, 1, 1))) void ${entry}(
% if top is not None:
    global const float* restrict top_parts,
% endif
    global const float* restrict parts, global ${stored("y")}* restrict y, int outer, int n, int inner, int splits,
    int channels, int channel_size${common.epilogue_parameters(epilogue_names)}) {
  ${group.memory("float", work_split.local)}
  ${group.place(work_split)}
% if top is not None:
  ${group.gather(work_split, top, "top", "top_parts")}
% endif
  ${group.gather(work_split, op, "value", "parts")}
  if (there && part == 0) {
    const int channel = line / channel_size % channels;
    ${common.apply_epilogue(epilogue, "value", "float", "channel", "line")}
    ${set_element("y", "line", "value", stored("y"))}
  }
}

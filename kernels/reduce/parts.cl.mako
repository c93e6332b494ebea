<%doc>
Parts of a reduction of the middle axis of float x (outer, n, inner), for GPUs: each line is cut into `splits` chunks of
`chunk` elements, a work-group's items share the chunks of neighbouring lines.

parts (splits, outer, inner); top_parts: the same of a reduction before it, whose result op reads; more_parts: of a
second reduction.
Index space: local (work_split.local, 1); as many groups as the lines need, by splits.
Parameters: work_split: see group; op: the reduction; top: the one of top_parts, or None; more: the one
of more_parts, which may read top as well, or None.
</%doc>
<%namespace name="group" file="/group.mako"/>
${group.functions(work_split)}
kernel __attribute__((reqd_work_group_size(${work_split.local}, 1, 1))) void ${entry}(
    global const ${stored("x")}* restrict x,
% if top is not None:
    global const float* restrict top_parts,
% endif
% if more is not None:
    global float* restrict more_parts,
% endif
    global float* restrict parts, int outer, int n, int inner, int chunk, int splits) {
  ${group.memory("float", work_split.local)}
  ${group.place(work_split)}
% if top is not None:
  ${group.gather(work_split, top, "top", "top_parts")}
% endif
  ${group.reduce(work_split, op, "total")}
% if more is not None:
  ${group.reduce(work_split, more, "further")}
  if (there && part == 0) more_parts[get_group_id(1) * ((size_t)outer * inner) + line] = further;
% endif
  if (there && part == 0) parts[get_group_id(1) * ((size_t)outer * inner) + line] = total;
}

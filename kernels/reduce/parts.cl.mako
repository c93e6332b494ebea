<%doc>
Parts of a reduction of the middle axis of float x (outer, n, inner), for GPUs: each line is cut into `splits` chunks of
`chunk` elements, a work-group's items share the chunks of neighbouring lines.

parts (splits, outer, inner); top_parts: the same of a reduction before it, whose result op reads; more_parts: of a
second reduction.
Index space: local (share.local, 1); as many groups as the lines need, by splits.
Parameters: share: see group; op: the reduction; top: the one of top_parts, or None; more: the one
of more_parts, which may read top as well, or None.
</%doc>
<%namespace name="group" file="/group.mako"/>
${group.functions(share)}
kernel __attribute__((reqd_work_group_size(${share.local}, 1, 1))) void ${entry}(
    global const ${stored("x")}* restrict x,
% if top is not None:
    global const float* restrict top_parts,
% endif
% if more is not None:
    global float* restrict more_parts,
% endif
    global float* restrict parts, int outer, int n, int inner, int chunk, int splits) {
  ${group.memory("float", share.local)}
  ${group.place(share)}
% if top is not None:
  ${group.gather(share, top, "top", "top_parts")}
% endif
  ${group.reduce(share, op, "total")}
% if more is not None:
  ${group.reduce(share, more, "further")}
  if (there && part == 0) more_parts[get_group_id(1) * ((size_t)outer * inner) + line] = further;
% endif
  if (there && part == 0) parts[get_group_id(1) * ((size_t)outer * inner) + line] = total;
}

<%doc>
Reductions across the work-items of a group, in local memory. Import with
  <%namespace name="group" file="/group.mako"/>
The kernel declares `id`, the index of the work-item in its group. An `op` is a lowering.reduction.Reduction.
</%doc>

## Local memory for `count` items' partial results.
<%def name="memory(vector, count)">
  local ${vector} shared_[${count}];
</%def>

## Joins the variable `name` of `items` work-items, a power of two, whose ids lie `step` apart; `place` is C text of
## this one's number among them. All of them have the result then. Every item of the group must come by.
<%def name="join(op, name, vector, items, step, place)">
% if items > 1:
<%
  halves = [items >> i for i in range(1, items.bit_length())]
%>
  shared_[id] = ${name};
  barrier(CLK_LOCAL_MEM_FENCE);
% for half in halves:
  if (${place} < ${half}) shared_[id] = ${op.text("join", vector, a="shared_[id]", b="shared_[id + %d]" % (half * step))};
  barrier(CLK_LOCAL_MEM_FENCE);
% endfor
  ${name} = shared_[id - (${place}) * ${step}];
  barrier(CLK_LOCAL_MEM_FENCE);
% endif
</%def>

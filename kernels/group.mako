<%doc>
Reductions across the work-items of a group, in local memory. Import with
  <%namespace name="group" file="/group.mako"/>
The kernel declares `id`, the index of the work-item in its group. An `op` is a lowering.shared.reduction.Reduction; `work_split`
a lowering.shared.groups.WorkSplit: how a group shares the lines along the middle axis of a tensor (outer, n, inner), or, if it
is split, their chunk number get_group_id(1); see lowering.shared.split_lines.
</%doc>
<%!
from clconv.lowering.model.ctext import load, vector_type
%>

## What a kernel with this work split needs in front of it: a value of the work-item whose number differs in one bit.
<%def name="functions(work_split)">
% if work_split.shuffle == "nvidia":
static inline float ${entry}_of(float x, int step) {
  float other;
  __asm__ volatile("shfl.sync.bfly.b32 %0, %1, %2, 0x1f, 0xffffffff;" : "=f"(other) : "f"(x), "r"(step));
  return other;
}
% elif work_split.shuffle == "intel":
#pragma OPENCL EXTENSION cl_intel_subgroups : enable
__attribute__((intel_reqd_sub_group_size(16)))
% endif
</%def>

## Declares id, and for this item: `line`, its row * inner + its column, whether it is `there`, its `part` of the
## items that share a line, and `from`, where the line begins. Items past the last line take that once more.
<%def name="place(work_split)">
  const int id = get_local_id(0);
  const int part = id / ${work_split.lanes} % ${work_split.items};
  const int column_groups = (inner + ${work_split.lanes - 1}) / ${work_split.lanes};
  const int row_group = get_group_id(0) / column_groups;
  const int wanted_column = (get_group_id(0) - row_group * column_groups) * ${work_split.lanes} + id % ${work_split.lanes};
  const int wanted_row = row_group * ${work_split.rows} + id / ${work_split.lanes * work_split.items};
  const int there = wanted_column < inner && wanted_row < outer;
  const int row = min(wanted_row, outer - 1), column = min(wanted_column, inner - 1);
  const size_t line = (size_t)row * inner + column;
  const size_t from = (size_t)row * n * inner + column;
% if work_split.split:
  const int first = get_group_id(1) * chunk;
  const int last = n - first < chunk ? n : first + chunk;
% endif
</%def>

## A loop of this item over its elements k, or over vectors of work_split.width from k on: opens a block.
<%def name="each(work_split)">\
for (int k = ${"first + " if work_split.split else ""}part * ${work_split.width}; k < ${"last" if work_split.split else "n"}; k += ${work_split.items * work_split.width}) {\
</%def>

## C text of the elements from k on of pointer `name`.
<%def name="elements(work_split, name)">\
${load(vector_type(work_split.width), "%s + from + (size_t)k * inner" % name if work_split.width == 1 else "%s + from + k" % name, stored(name), True)}\
</%def>

## Reduces the item's line of x into a new float `name`, which all that share the line have. shifted: the
## reduction reads the float `top`.
<%def name="reduce(work_split, op, name)">
<%
  V = vector_type(work_split.width)
%>
  float ${name};
  {
    ${V} own = ${op.text("start", V)};
    ${each(work_split)}
      const ${V} v = ${elements(work_split, "x")};
      own = ${op.joined("own", "v", V)};
    }
% if work_split.width == 1:
    ${name} = own;
% else:
    ${name} = own.s0;
% for lane in range(1, work_split.width):
    ${name} = ${op.text("join", "float", a=name, b="own.s%d" % lane)};
% endfor
% endif
  }
  ${join_line(work_split, op, name)}
</%def>

## Joins the variable `name` of all that share the item's line.
<%def name="join_line(work_split, op, name)">
% if work_split.abreast == 1:
  ${join(op, name, "float", work_split.items, work_split.lanes, "part")}
% else:
% for step in [work_split.abreast >> i for i in range(1, work_split.abreast.bit_length())]:
% if work_split.shuffle == "emulated":
  shared_[id] = ${name};
  barrier(CLK_LOCAL_MEM_FENCE);
  const float ${name}_${step} = shared_[id ^ ${step}];
  barrier(CLK_LOCAL_MEM_FENCE);
% elif work_split.shuffle == "intel":
  const float ${name}_${step} = intel_sub_group_shuffle_xor(${name}, ${step}u);
% else:
  const float ${name}_${step} = ${entry}_of(${name}, ${step});
% endif
  ${name} = ${op.text("join", "float", a=name, b="%s_%d" % (name, step))};
% endfor
% if work_split.items > work_split.abreast:
  if (id % ${work_split.abreast} == 0) shared_[id / ${work_split.abreast}] = ${name};
  barrier(CLK_LOCAL_MEM_FENCE);
<%
  first = "id / %d * %d" % (work_split.items, work_split.items // work_split.abreast)
%>
  ${name} = shared_[${first}];
% for i in range(1, work_split.items // work_split.abreast):
  ${name} = ${op.text("join", "float", a=name, b="shared_[%s + %d]" % (first, i))};
% endfor
  barrier(CLK_LOCAL_MEM_FENCE);
% endif
% endif
</%def>

## Joins the parts of the item's line, from pointer `parts` (splits, outer, inner), into a new float `name`, finished, which
## all that share the line have.
<%def name="gather(work_split, op, name, parts)">
  float ${name} = ${op.text("start", "float")};
  for (int split_ = part; split_ < splits; split_ += ${work_split.items}) {
    const float v_ = ${parts}[split_ * ((size_t)outer * inner) + line];
    ${name} = ${op.text("join", "float", a=name, b="v_")};
  }
  ${join_line(work_split, op, name)}
  ${name} = ${op.text("finish", "float", a=name)};
</%def>

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

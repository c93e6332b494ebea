<%doc>
Reduction of any axes of a plain tensor of any dtype, by its definition.

kept<i>, kept_stride<i>: size of kept axis i and its distance in elements in x; reduced<i>,
reduced_stride<i>: the same of the reduced ones. y (kept0, kept1, ...), `total` elements.
One work-item computes `per_item` elements of y. Index space: (total / per_item).
Parameters: kept, reduced: numbers of axes; source: C type of x; target: of y; sum: type in which is
reduced; wide: in which is finished; conversion: C text of the target value from `result`; op: the reduction; top: the reduction whose result op subtracts.
</%doc>
<%!
from clconv.lowering.model.ctext import element, set_element
%>\
<%def name="walk(op, name, type)">
    ${type} ${name} = ${op.text("start", type)};
% for axis in range(reduced):
    for (long r${axis} = 0; r${axis} < reduced${axis}; ++r${axis})
% endfor
    {
      const ${type} v = ${element("from", "0" + "".join(" + r%d * reduced_stride%d" % (i, i) for i in range(reduced)), stored("x"))};
      ${name} = ${op.joined(name, "v", type)};
    }
</%def>
kernel void ${entry}(
    global const ${stored("x", source)}* restrict x, global ${stored("y", target)}* restrict y, long total, long per_item, long n
% for axis in range(kept):
    , long kept${axis}, long kept_stride${axis}
% endfor
% for axis in range(reduced):
    , long reduced${axis}, long reduced_stride${axis}
% endfor
    ) {
  const long begin = get_global_id(0) * per_item;
  const long end = begin + per_item < total ? begin + per_item : total;
  for (long at = begin; at < end; ++at) {
    long rest = at;
    global const ${stored("x", source)}* from = x;
% for axis in reversed(range(kept)):
    from += rest % kept${axis} * kept_stride${axis}; rest /= kept${axis};
% endfor
% if top is not None:
    ${walk(top, "top", sum)}
    top = ${op.text("shift", sum)};
% endif
    ${walk(op, "total_", sum)}
    const ${wide} result = ${op.text("finish", wide, a="(%s)total_" % wide)};
    ${set_element("y", "at", conversion, stored("y"))}
  }
}

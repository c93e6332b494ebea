<%doc>
Mean and factor of a normalisation over any axes of plain x, by definition. The mean is mean + rest.

kept<i>, kept_stride<i>: size of kept axis i and its distance in elements in x; reduced<i>,
reduced_stride<i>: the same of the reduced ones. mean, rest, factor (kept0, kept1, ...), `total` elements.
One work-item computes `per_item` of them. Index space: (total / per_item).
Parameters: kept, reduced: numbers of axes; type: C type of x; wide: type of the sums; center: the reduction
to the mean, or None; measure: the reduction to the factor; rest: as in norm/rows; keep_mean, keep_factor: whether they are
outputs, in float, too; run: elements of the last axis that are reduced before they are joined with those before.
</%doc>
<%!
from clconv.lowering.model.ctext import element, set_element
%>\
## Along the last axis in runs, whose results are joined: one sum of floats would lose what is small against it.
<%def name="walk(op, name)">
    ${wide} ${name} = ${op.text("start", wide)};
% for axis in range(reduced):
    for (long r${axis} = 0; r${axis} < reduced${axis}; ${"r%d += %d" % (axis, run) if axis == reduced - 1 else "++r%d" % axis})
% endfor
    {
      ${wide} own = ${op.text("start", wide)};
% if reduced:
      const long last = r${reduced - 1} + ${run} < reduced${reduced - 1} ? r${reduced - 1} + ${run} : reduced${reduced - 1};
      for (long r = r${reduced - 1}; r < last; ++r)
% endif
      {
        const ${wide} v = ${element("from", "0" + "".join(" + r%s * reduced_stride%d" % (i if i < reduced - 1 else "", i) for i in range(reduced)), stored("x"))};
        own = ${op.joined("own", "v", wide)};
      }
      ${name} = ${op.text("join", wide, a=name, b="own")};
    }
    ${name} = ${op.text("finish", wide, a=name)};
</%def>
kernel void ${entry}(
    global const ${stored("x", type)}* restrict x, global ${type}* restrict mean,
    global ${type}* restrict remainder, global ${type}* restrict factor
% if keep_mean:
    , global ${stored("kept_mean")}* restrict kept_mean
% endif
% if keep_factor:
    , global ${stored("kept_factor")}* restrict kept_factor
% endif
    , long total, long per_item, long n
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
    long index = at;
    global const ${stored("x", type)}* from = x;
% for axis in reversed(range(kept)):
    from += index % kept${axis} * kept_stride${axis}; index /= kept${axis};
% endfor
% if center is not None:
    ${walk(center, "top")}
% if wide == type:
    ${walk(rest.mean, "rest")}
% else:
    const ${wide} rest = 0;
% endif
    ${walk(rest.measure, "measured")}
    mean[at] = top;
    remainder[at] = top - mean[at] + rest;
% else:
    const ${wide} top = 0;
    ${walk(measure, "measured")}
    mean[at] = 0;
    remainder[at] = 0;
% endif
    factor[at] = measured;
% if keep_mean:
    ${set_element("kept_mean", "at", "remainder[at] == remainder[at] ? mean[at] + remainder[at] : mean[at]", stored("kept_mean"))}
% endif
% if keep_factor:
    ${set_element("kept_factor", "at", "measured", stored("kept_factor"))}
% endif
  }
}

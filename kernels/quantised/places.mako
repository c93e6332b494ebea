<%doc>
Where the scale and the zero point of an element lie. A tensor is (outer, length, inner); element (o, a, i) has
scale[o * scale_outer + a / block * scale_axis + i * scale_inner]. All steps are 0 for one scale of the tensor,
scale_axis is 1 for one along the axis; block is 1 where there are no blocks. Import with
  <%namespace name="places" file="/quantised/places.mako"/>
</%doc>
<%def name="parameters()">\
int length, int inner, int block, long scale_outer, long scale_axis, long scale_inner, long total, long per_item\
</%def>
## Loops over the elements begin..end of an item: for each run of `inner`, index `at`, scale at `place`, which is the
## same for all of a run unless they are varied.
<%def name="loop(varied)">
  const long begin = get_global_id(0) * per_item;
  const long end = begin + per_item < total ? begin + per_item : total;
  for (long at = begin; at < end;) {
    const long row = at / inner;
    const long next = (row + 1) * inner, stop = next < end ? next : end;
    const long o = row / length, a = row - o * length;
    const long first = o * scale_outer + a / block * scale_axis;
    for (; at < stop; ++at) {
      const long place = first${" + (at - row * inner) * scale_inner" if varied else ""};
      ${caller.body()}
    }
  }
</%def>

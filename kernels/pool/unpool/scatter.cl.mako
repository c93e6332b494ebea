<%doc>
y[place of indices[i]] = x[i]; everything else was filled with zeros before.

An index counts through y (planes, out0, out1, ...), or, if it is undecided and outside[0] and not outside[1], see
windows, through an image of the default size: natural0, natural1, ...
x, indices: `total` elements. Where an index stands twice either value may win. An index outside is left out.
One item does `per_item` elements; index space: (total / per_item). Parameters: type; index: int or long; spatial axes; undecided.
</%doc>
kernel void ${entry}(
    global const ${type}* restrict x, global const ${index}* restrict indices,
% if undecided:
    global const int* restrict outside,
% endif
    global ${type}* restrict y
% for what in ("natural", "out"):
% for i in range(spatial):
    , int ${what}${i}
% endfor
% endfor
    , long planes, long total, long per_item) {
  const int by_default = ${"outside[0] && !outside[1]" if undecided else "0"};
% for i in range(spatial):
  const int counted${i} = by_default ? natural${i} : out${i};
% endfor
  const long limit = planes${"".join(" * counted%d" % i for i in range(spatial))};
  const long begin = get_global_id(0) * per_item;
  const long end = begin + per_item < total ? begin + per_item : total;
  for (long i = begin; i < end; ++i) {
    const long given = indices[i];
    long rest = given < 0 ? given + limit : given;
    if (rest < 0 || rest >= limit) continue;
    long place = 0, step = 1;
% for i in reversed(range(spatial)):
    place += rest % counted${i} * step;
    rest /= counted${i};
    step *= out${i};
% endfor
    y[place + rest * step] = x[i];
  }
}

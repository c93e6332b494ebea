<%doc>
y[place of indices[i]] = x[i]; everything else was filled with zeros before.

An index counts through the unpooled image (planes, natural0, natural1, ...); y is at least that large: out0, out1, ...
x, indices: `total` elements. Where an index stands twice either value may win. An index outside is left out.
One item does `share` elements; index space: (total / share). Parameters: type; index: int or long; spatial axes.
</%doc>
kernel void ${entry}(
    global const ${type}* restrict x, global const ${index}* restrict indices, global ${type}* restrict y
% for what in ("natural", "out"):
% for i in range(spatial):
    , int ${what}${i}
% endfor
% endfor
    , long limit, long total, long share) {
  const long begin = get_global_id(0) * share;
  const long end = begin + share < total ? begin + share : total;
  for (long i = begin; i < end; ++i) {
    const long given = indices[i];
    long rest = given < 0 ? given + limit : given;
    if (rest < 0 || rest >= limit) continue;
    long place = 0, step = 1;
% for i in reversed(range(spatial)):
    place += rest % natural${i} * step;
    rest /= natural${i};
    step *= out${i};
% endfor
    y[place + rest * step] = x[i];
  }
}

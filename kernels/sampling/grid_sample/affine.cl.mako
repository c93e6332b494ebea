<%doc>
grid[n, p] = theta[n] * (x, y, ..., 1) for every pixel p of an image whose coordinates run from -1 to 1, last axis first.

theta (N, AXES, AXES + 1)   grid (N, pixels, AXES)   pixels = size0 * size1 * ...
One item does `per_item` pixels of all images; index space: (N * pixels / per_item).
Parameters: type; axes; align_corners: -1 and 1 are the middles of the outer pixels and not their edges.
</%doc>
kernel void ${entry}(
    global const ${type}* restrict theta, global ${type}* restrict grid
% for i in range(axes):
    , int size${i}
% endfor
    , long total, long per_item) {
  const long begin = get_global_id(0) * per_item;
  const long end = begin + per_item < total ? begin + per_item : total;
  for (long at = begin; at < end; ++at) {
    long rest = at;
    ${type} point[${axes + 1}];
    point[${axes}] = 1;
% for i in reversed(range(axes)):
    {
      const ${type} place = rest % size${i};
% if align_corners:
      point[${axes - 1 - i}] = size${i} > 1 ? -1 + 2 * place / (size${i} - 1) : 0;
% else:
      point[${axes - 1 - i}] = (2 * place + 1) / size${i} - 1;
% endif
      rest /= size${i};
    }
% endfor
    global const ${type}* matrix = theta + rest * ${axes * (axes + 1)};
    for (int i = 0; i < ${axes}; ++i) {
      ${type} sum = 0;
      for (int j = 0; j <= ${axes}; ++j) sum += matrix[i * ${axes + 1} + j] * point[j];
      grid[at * ${axes} + i] = sum;
    }
  }
}

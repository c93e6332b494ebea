<%doc>
dx[n, c] = sum over the points p of the grid of dy[n, c, p], at the pixels around the position that grid[n, p] names, times
their weights.

dy (N, channels, pixels)   grid (N, pixels, AXES), last axis first, -1..1 over the image   dx (N, channels, size...)
A work-item owns `band` lines along the first axis of `per_item` channels of an image, and adds what falls on them in the order
of the grid; index space: (size0 / band, channels / per_item, N).
Parameters: type, grid_type; axes; mode nearest, linear or cubic; padding zeros, border or reflection; align_corners.
</%doc>
<%namespace name="pieces" file="/sampling/grid_sample/pieces.mako"/>
<%
  reach = {"nearest": 1, "linear": 2, "cubic": 4}[mode]
  taps = reach ** axes
%>
${pieces.functions(entry, type, padding)}\
kernel void ${entry}(
    global const ${type}* restrict dy, global const ${grid_type}* restrict grid, global ${type}* restrict dx, int channels
% for i in range(axes):
    , int size${i}
% endfor
    , long pixels, int band, int per_item) {
  const long n = get_global_id(2);
  const int first = get_global_id(1) * per_item, stop = min(first + per_item, channels);
  const size_t line = (size_t)1${"".join(" * size%d" % i for i in range(1, axes))}, plane = size0 * line;
  // The pixels of a channel that are this item's.
  const size_t begin = get_global_id(0) * band * line, end = min(begin + band * line, plane);
  for (int c = first; c < stop; ++c) {
    global ${type}* image = dx + (n * channels + c) * plane;
    for (size_t i = begin; i < end; ++i) image[i] = 0;
  }
  for (long pixel = 0; pixel < pixels; ++pixel) {
    global const ${grid_type}* point = grid + (n * pixels + pixel) * ${axes};
    size_t places[${taps}];
    ${type} weights[${taps}];
    places[0] = 0;
    weights[0] = 1;
    int count = 1;
% for i in range(axes):
    {
${pieces.position(entry, type, i, axes, mode, padding, align_corners)}\
      // Every tap so far, times every tap of this axis; from the back, because they grow in place.
      for (int k = count - 1; k >= 0; --k) {
        const size_t row = places[k] * size${i};
        const ${type} weight = weights[k];
        for (int tap = ${reach - 1}; tap >= 0; --tap) {
${pieces.pixel(entry, type, mode, padding)}\
          places[k * ${reach} + tap] = row + (size_t)at;
          weights[k * ${reach} + tap] = weight * part;
        }
      }
      count *= ${reach};
    }
% endfor
    int kept = 0;
    for (int k = 0; k < ${taps}; ++k) {
      if (places[k] < begin || places[k] >= end) continue;
      places[kept] = places[k];
      weights[kept++] = weights[k];
    }
    for (int c = first; kept && c < stop; ++c) {
      const ${type} g = dy[(n * channels + c) * pixels + pixel];
      global ${type}* image = dx + (n * channels + c) * plane;
      for (int k = 0; k < kept; ++k) image[places[k]] += weights[k] * g;
    }
  }
}

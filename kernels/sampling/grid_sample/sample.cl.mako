<%doc>
y[n, c, p] = weighted sum of the pixels of x[n, c] around the position that grid[n, p] names.

x (N, channels, size...)   grid (N, pixels, AXES), last axis first, -1..1 over the image   y (N, channels, pixels)
One item does `per_item` pixels of one image, all channels; index space: (pixels / per_item, N).
Parameters: type, grid_type; axes; mode nearest, linear or cubic; padding zeros, border or reflection; align_corners.
</%doc>
<%
  reach = {"nearest": 1, "linear": 2, "cubic": 4}[mode]
  taps = reach ** axes
  before = 1 if mode == "cubic" else 0
%>
% if padding == "reflection":
// Mirrored at both borders until it lies between them.
${type} ${entry}_reflect(${type} x, ${type} low, ${type} high) {
  const ${type} span = 2 * (high - low);
  if (span == 0) return low;
  ${type} phase = fmod(x - low, span);
  phase = phase < 0 ? phase + span : phase;
  return low + (phase < span - phase ? phase : span - phase);
}

% endif
kernel void ${entry}(
    global const ${type}* restrict x, global const ${grid_type}* restrict grid, global ${type}* restrict y, int channels
% for i in range(axes):
    , int size${i}
% endfor
    , long pixels, long per_item) {
  const long n = get_global_id(1);
  const long begin = get_global_id(0) * per_item;
  const long end = begin + per_item < pixels ? begin + per_item : pixels;
  const size_t plane = (size_t)${" * ".join("size%d" % i for i in range(axes))};
  for (long pixel = begin; pixel < end; ++pixel) {
    global const ${grid_type}* point = grid + (n * pixels + pixel) * ${axes};
    size_t places[${taps}];
    ${type} weights[${taps}];
    places[0] = 0;
    weights[0] = 1;
    int count = 1;
% for i in range(axes):
    {
      const ${type} size = size${i};
      const ${type} given = point[${axes - 1 - i}];
% if align_corners:
      const ${type} low = 0, high = size - 1;
      ${type} place = (given + 1) / 2 * (size - 1);
% else:
      const ${type} low = (${type})(-0.5f), high = size - (${type})0.5f;
      ${type} place = ((given + 1) * size - 1) / 2;
% endif
% if mode == "nearest":
      place = rint(place);
% endif
% if padding == "border" and mode != "cubic":
      if (place < low || place > high) place = place < 0 ? 0 : place > size - 1 ? size - 1 : place;
% elif padding == "reflection":
      if (place < low || place > high) place = ${entry}_reflect(place, low, high);
% endif
      const ${type} base = floor(place), t = place - base;
% if mode == "nearest":
      const ${type} parts[1] = {1};
% elif mode == "linear":
      const ${type} parts[2] = {1 - t, t};
% else:
      const ${type} A = -0.75f, u = t + 1, v = 1 - t, z = 2 - t;
      const ${type} parts[4] = {
          ((A * u - 5 * A) * u + 8 * A) * u - 4 * A, ((A + 2) * t - (A + 3)) * t * t + 1,
          ((A + 2) * v - (A + 3)) * v * v + 1, ((A * z - 5 * A) * z + 8 * A) * z - 4 * A};
% endif
      // Every tap so far, times every tap of this axis; from the back, because they grow in place.
      for (int k = count - 1; k >= 0; --k) {
        const size_t row = places[k] * size${i};
        const ${type} weight = weights[k];
        for (int tap = ${reach - 1}; tap >= 0; --tap) {
          ${type} at = base + (tap - ${before});
          ${type} part = parts[tap];
% if padding == "zeros":
          part = at >= 0 && at <= size - 1 ? part : part * 0;
% elif padding == "reflection":
          at = ${entry}_reflect(at, low, high);
% endif
          at = at > 0 ? (at < size - 1 ? at : size - 1) : 0;  // NaN reads the first pixel
          places[k * ${reach} + tap] = row + (size_t)at;
          weights[k * ${reach} + tap] = weight * part;
        }
      }
      count *= ${reach};
    }
% endfor
    for (int c = 0; c < channels; ++c) {
      global const ${type}* image = x + (n * channels + c) * plane;
      ${type} sum = 0;
      for (int k = 0; k < ${taps}; ++k) sum += weights[k] * image[places[k]];
      y[(n * channels + c) * pixels + pixel] = sum;
    }
  }
}

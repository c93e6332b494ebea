<%doc>
What the kernels of GridSample and of its gradients share: where a point of the grid lies along an axis of the image, which
pixels are read there, and with what weights.
type: of the elements; mode nearest, linear or cubic; padding zeros, border or reflection. slopes: derivatives of the
weights by the coordinate are wanted, too.
</%doc>

## Functions that the pieces below call.
<%def name="functions(entry, type, padding, slopes=False)">\
% if padding == "reflection":
// Mirrored at both borders until it lies between them.
${type} ${entry}_reflect(${type} x, ${type} low, ${type} high) {
  const ${type} span = 2 * (high - low);
  if (span == 0) return low;
  ${type} phase = fmod(x - low, span);
  phase = phase < 0 ? phase + span : phase;
  return low + (phase < span - phase ? phase : span - phase);
}

% if slopes:
// Whether an odd number of mirrors lies between.
int ${entry}_falls(${type} x, ${type} low, ${type} high) {
  const ${type} span = 2 * (high - low);
  if (span == 0) return 1;
  ${type} phase = fmod(x - low, span);
  phase = phase < 0 ? phase + span : phase;
  return phase > span - phase;
}

% endif
% endif
</%def>

## Of axis i of `axes`, for a grid's `point`: base, the pixel at or before its place, and parts, the weights from there on (of
## a cubic from the pixel before); low and high, the borders; slopes.
<%def name="position(entry, type, i, axes, mode, padding, align_corners, slopes=False)">\
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
% if slopes and mode != "nearest" and padding != "zeros":
      const int outside = place < low || place > high;
      const ${type} unfolded = place;
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
% if slopes:
% if mode == "nearest":
      const ${type} slopes[1] = {0};
% else:
      // Of the weights by the coordinate that was given: none where the place is held at a border.
      ${type} slope = ${"(size - 1) / 2" if align_corners else "size / 2"};
% if padding == "border" and mode != "cubic":
      if (outside) slope = 0;
% elif padding == "reflection":
      if (outside && ${entry}_falls(unfolded, low, high)) slope = high > low ? -slope : 0;
% endif
% if mode == "linear":
      const ${type} slopes[2] = {-slope, slope};
% else:
      const ${type} slopes[4] = {
          slope * ((3 * A * u - 10 * A) * u + 8 * A), slope * ((3 * (A + 2) * t - 2 * (A + 3)) * t),
          -slope * ((3 * (A + 2) * v - 2 * (A + 3)) * v), -slope * ((3 * A * z - 10 * A) * z + 8 * A)};
% endif
% endif
% endif
</%def>

## Of a tap: its pixel `at` and its weight `part`; its slope `change`.
<%def name="pixel(entry, type, mode, padding, slopes=False)">\
          ${type} at = base + (tap - ${1 if mode == "cubic" else 0});
          ${type} part = parts[tap];
% if slopes:
          ${type} change = slopes[tap];
% endif
% if padding == "zeros":
          part = at >= 0 && at <= size - 1 ? part : part * 0;
% if slopes:
          change = at >= 0 && at <= size - 1 ? change : 0;
% endif
% elif padding == "reflection":
          at = ${entry}_reflect(at, low, high);
% endif
          at = at > 0 ? (at < size - 1 ? at : size - 1) : 0;  // NaN reads the first pixel
</%def>

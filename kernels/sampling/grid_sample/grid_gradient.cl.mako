<%doc>
dgrid[n, p, j] = sum over c and the pixels k around the position that grid[n, p] names of
                 dy[n, c, p] * x[n, c, k] * (derivative of k's weight by the position's coordinate j)

dy (N, channels, pixels)   x (N, channels, size...)   grid, dgrid (N, pixels, AXES), last axis first, -1..1 over the image
One item does `per_item` pixels of one image, all channels; index space: (pixels / per_item, N).
Parameters: type, grid_type; axes; mode nearest, linear or cubic; padding zeros, border or reflection; align_corners.
</%doc>
<%namespace name="pieces" file="/sampling/grid_sample/pieces.mako"/>
<%
  reach = {"nearest": 1, "linear": 2, "cubic": 4}[mode]
  taps = reach ** axes
%>
${pieces.functions(entry, type, padding, True)}\
kernel void ${entry}(
    global const ${type}* restrict dy, global const ${type}* restrict x, global const ${grid_type}* restrict grid,
    global ${grid_type}* restrict dgrid, int channels
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
    // Of each tap the products of the weights along all axes, with the derivative's in the place of one.
    ${type} weights[${taps}], changes[${axes}][${taps}];
    places[0] = 0;
    weights[0] = 1;
    int count = 1;
% for i in range(axes):
    {
${pieces.position(entry, type, i, axes, mode, padding, align_corners, True)}\
      // Every tap so far, times every tap of this axis; from the back, because they grow in place.
      for (int k = count - 1; k >= 0; --k) {
        const size_t row = places[k] * size${i};
        const ${type} weight = weights[k];
% for j in range(i):
        const ${type} change${j} = changes[${j}][k];
% endfor
        for (int tap = ${reach - 1}; tap >= 0; --tap) {
${pieces.pixel(entry, type, mode, padding, True)}\
          const int place = k * ${reach} + tap;
          places[place] = row + (size_t)at;
          weights[place] = weight * part;
          changes[${i}][place] = weight * change;
% for j in range(i):
          changes[${j}][place] = change${j} * part;
% endfor
        }
      }
      count *= ${reach};
    }
% endfor
    ${type} ${", ".join("sum%d = 0" % j for j in range(axes))};
    for (int c = 0; c < channels; ++c) {
      global const ${type}* image = x + (n * channels + c) * plane;
      const ${type} g = dy[(n * channels + c) * pixels + pixel];
      for (int k = 0; k < ${taps}; ++k) {
        const ${type} value = g * image[places[k]];
% for j in range(axes):
        sum${j} += value * changes[${j}][k];
% endfor
      }
    }
% for j in range(axes):
    dgrid[(n * pixels + pixel) * ${axes} + ${axes - 1 - j}] = sum${j};
% endfor
  }
}

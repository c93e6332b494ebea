<%doc>
y[n, c, p] = weighted sum of the pixels of x[n, c] around the position that grid[n, p] names.

x (N, channels, size...)   grid (N, pixels, AXES), last axis first, -1..1 over the image   y (N, channels, pixels)
If block > 1, x (N, blocks, size..., block) and y (N, blocks, pixels, block): `channels` are blocks.
One item does `per_item` pixels of one image, all channels; index space: (pixels / per_item, N).
Parameters: type, grid_type; axes; mode nearest, linear or cubic; padding zeros, border or reflection; align_corners;
block: 1 or, of floats, the lanes of a block.
</%doc>
<%namespace name="pieces" file="/sampling/grid_sample/pieces.mako"/>
<%!
from clconv.lowering.model.ctext import load, store, vector_type
%>
<%
  V = vector_type(block, type)
  reach = {"nearest": 1, "linear": 2, "cubic": 4}[mode]
  taps = reach ** axes
%>
${pieces.functions(entry, type, padding)}\
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
    for (int c = 0; c < channels; ++c) {
      global const ${type}* image = x + (n * channels + c) * plane * ${block};
      ${V} sum = 0;
% if block > 1:
% for k in range(taps):
      sum += weights[${k}] * ${load(V, "image + places[%d] * %d" % (k, block))};
% endfor
      ${store(V, "y + ((n * channels + c) * pixels + pixel) * %d" % block)} = sum;
% else:
      for (int k = 0; k < ${taps}; ++k) sum += weights[k] * image[places[k]];
      y[(n * channels + c) * pixels + pixel] = sum;
% endif
    }
  }
}

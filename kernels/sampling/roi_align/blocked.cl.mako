<%doc>
As tables.cl.mako, on channel blocks: the channels of a block are the lanes of a vector. Means only.

x (N, blocks, height, width, block)   rois (regions, 4): x0, y0, x1, y1   images (regions)
y (regions, channels, rows, columns), or if it is blocked (regions, blocks, rows, columns, block)
A work-item does `share` blocks of a region; index space: (regions, blocks / share). A region with more than 128 samples
along an axis is done element by element. Sums are in the order of align.cl.mako.
Parameters: block; wide: of places; index: int or long; half_pixel; result_blocked.
</%doc>
<%namespace name="pieces" file="/sampling/roi_align/pieces.mako"/>\
<%!
from clconv.lowering.model.ctext import load, store, vector_type
%>\
<%
  MOST = 128
  V = vector_type(block)
%>
${pieces.functions(entry, "float", wide)}\
${pieces.element(entry, "float", wide, False, half_pixel, block)}\
typedef struct {
  int low, high;
  float low_weight, high_weight;
} ${entry}_place;

kernel __attribute__((vec_type_hint(${V}))) void ${entry}(
    global const float* restrict x, global const float* restrict rois, global const ${index}* restrict images,
    global float* restrict y, int batch, int channels, int height, int width, int rows, int columns, int samples,
    float spatial_scale, int share) {
  const size_t region = get_global_id(0);
  const int blocks = (channels + ${block - 1}) / ${block};
  const int first = get_global_id(1) * share, stop = min(first + share, blocks);
  const int bins = rows * columns;
  const long image = images[region];
  const int missing = image < 0 || image >= batch;
  global const float* plane = x + ((size_t)(missing ? 0 : image) * blocks + first) * height * width * ${block};
  global const float* roi = rois + region * 4;
${pieces.region(wide, half_pixel)}\
  ${entry}_place down_places[${MOST}], across_places[${MOST}];
  const int few = count_y >= 1 && count_x >= 1 && count_y * rows <= ${MOST} && count_x * columns <= ${MOST};
  const int times_y = few ? (int)count_y : 0, times_x = few ? (int)count_x : 0;
% for axis, count, begin, step, size in (("down", "rows", "y", "step_y", "height"), ("across", "columns", "x", "step_x", "width")):
  for (int i = 0; i < ${count}; ++i)
    for (int u = 0; u < times_${begin}; ++u) {
      ${entry}_place* place = ${axis}_places + i * times_${begin} + u;
      ${entry}_corners(${begin}0 + (i + (u + (${wide})0.5f) / count_${begin}) * ${step}, ${size}, &place->low, &place->high,
                       &place->low_weight, &place->high_weight);
      place->low *= ${"width * %d" % block if axis == "down" else block};
      place->high *= ${"width * %d" % block if axis == "down" else block};
    }
% endfor
  for (int c = first; c < stop; ++c, plane += (size_t)height * width * ${block}) {
% if result_blocked:
    global float* out = y + (region * blocks + c) * bins * ${block};
% else:
    global float* out = y + (region * channels + c * ${block}) * bins;
    const int lanes = min(${block}, channels - c * ${block});
% endif
    for (int i = 0; i < rows; ++i)
      for (int j = 0; j < columns; ++j) {
        ${V} result = (${V})(0);
        if (missing) {
        } else if (!few) {
          float each[${block}];
          for (int lane = 0; lane < ${block}; ++lane)
            each[lane] = ${entry}_element(plane + lane, roi, i, j, height, width, rows, columns, samples, spatial_scale);
          result = (${V})(${", ".join("each[%d]" % lane for lane in range(block))});
        } else {
          for (int u = 0; u < times_y; ++u) {
            const ${entry}_place above = down_places[i * times_y + u];
            if (above.low_weight + above.high_weight == 0) continue;  // beyond the image, whatever lies at its corner
            global const float* top = plane + above.low;
            global const float* bottom = plane + above.high;
            for (int v = 0; v < times_x; ++v) {
              const ${entry}_place beside = across_places[j * times_x + v];
              if (beside.low_weight + beside.high_weight == 0) continue;
              const ${V} p = above.low_weight * beside.low_weight * ${load(V, "top + beside.low")};
              const ${V} q = above.low_weight * beside.high_weight * ${load(V, "top + beside.high")};
              const ${V} r = above.high_weight * beside.low_weight * ${load(V, "bottom + beside.low")};
              const ${V} s = above.high_weight * beside.high_weight * ${load(V, "bottom + beside.high")};
              result += (p + q) + (r + s);
            }
          }
          result = result / (float)(count_y * count_x);
        }
        const int bin = i * columns + j;
% if result_blocked:
        ${store(V, "out + bin * %d" % block)} = result;
% else:
% for lane in range(block):
        if (${lane} < lanes) out[${lane} * bins + bin] = result.s${"%x" % lane};
% endfor
% endif
      }
  }
}

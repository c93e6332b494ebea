<%doc>
As align.cl.mako, for CPUs: where the samples of a region lie is found once for all channels, not again for each element.

x (N, channels, height, width)   rois (regions, 4): x0, y0, x1, y1   images (regions)   y (regions, channels, rows, columns)
A bin has samples x samples samples; 0: as many along each axis as it has pixels.
A work-item does `share` channels of a region; index space: (regions, channels / share). A region with more than 128 samples
along an axis is done element by element. Sums are in the order of align.cl.mako.
Parameters: type; wide: of places; index: int or long; largest; half_pixel.
</%doc>
<%namespace name="pieces" file="/sampling/roi_align/pieces.mako"/>\
<%
  MOST = 128
%>
${pieces.functions(entry, type, wide)}\
${pieces.element(entry, type, wide, largest, half_pixel)}\
typedef struct {
  int low, high;
  ${type} low_weight, high_weight;
} ${entry}_place;

kernel void ${entry}(
    global const ${type}* restrict x, global const ${type}* restrict rois, global const ${index}* restrict images,
    global ${type}* restrict y, int batch, int channels, int height, int width, int rows, int columns, int samples,
    float spatial_scale, int share) {
  const size_t region = get_global_id(0);
  const int first = get_global_id(1) * share, stop = min(first + share, channels);
  const int bins = rows * columns;
  const long image = images[region];
  global const ${type}* roi = rois + region * 4;
  global ${type}* out = y + (region * channels + first) * bins;
  if (image < 0 || image >= batch) {
    for (int k = 0; k < (stop - first) * bins; ++k) out[k] = 0;
    return;
  }
  global const ${type}* plane = x + ((size_t)image * channels + first) * height * width;
${pieces.region(wide, half_pixel)}\
  ${entry}_place down_places[${MOST}], across_places[${MOST}];
  if (!(count_y >= 1 && count_x >= 1 && count_y * rows <= ${MOST} && count_x * columns <= ${MOST})) {
    for (int c = first; c < stop; ++c, plane += (size_t)height * width, out += bins)
      for (int bin = 0; bin < bins; ++bin)
        out[bin] = ${entry}_element(plane, roi, bin / columns, bin % columns, height, width, rows, columns, samples, spatial_scale);
    return;
  }
  const int times_y = (int)count_y, times_x = (int)count_x;
% for axis, count, begin, step, size in (("down", "rows", "y", "step_y", "height"), ("across", "columns", "x", "step_x", "width")):
  for (int i = 0; i < ${count}; ++i)
    for (int u = 0; u < times_${begin}; ++u) {
      ${entry}_place* place = ${axis}_places + i * times_${begin} + u;
      ${entry}_corners(${begin}0 + (i + (u + (${wide})0.5f) / count_${begin}) * ${step}, ${size}, &place->low, &place->high,
                       &place->low_weight, &place->high_weight);
% if axis == "down":
      place->low *= width;
      place->high *= width;
% endif
    }
% endfor
  for (int c = first; c < stop; ++c, plane += (size_t)height * width, out += bins)
    for (int i = 0; i < rows; ++i)
      for (int j = 0; j < columns; ++j) {
        ${type} result = ${"-INFINITY" if largest else "0"};
        for (int u = 0; u < times_y; ++u) {
          const ${entry}_place above = down_places[i * times_y + u];
          if (above.low_weight + above.high_weight == 0) {  // beyond the image, whatever lies at its corner
% if largest:
            result = result > 0 ? result : 0;
% endif
            continue;
          }
          global const ${type}* top = plane + above.low;
          global const ${type}* bottom = plane + above.high;
          for (int v = 0; v < times_x; ++v) {
            const ${entry}_place beside = across_places[j * times_x + v];
            if (beside.low_weight + beside.high_weight == 0) {
% if largest:
              result = result > 0 ? result : 0;
% endif
              continue;
            }
            const ${type} p = above.low_weight * beside.low_weight * top[beside.low];
            const ${type} q = above.low_weight * beside.high_weight * top[beside.high];
            const ${type} r = above.high_weight * beside.low_weight * bottom[beside.low];
            const ${type} s = above.high_weight * beside.high_weight * bottom[beside.high];
% if largest:
            const ${type} most = fmax(fmax(p, q), fmax(r, s));
            result = result > most ? result : most;
% else:
            result += (p + q) + (r + s);
% endif
          }
        }
        out[i * columns + j] = result${"" if largest else " / (%s)(count_y * count_x)" % type};
      }
}

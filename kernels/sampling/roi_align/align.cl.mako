<%doc>
y[r, c, i, j] = mean (or largest weighted corner) of bilinear samples of x[image of r, c] in bin (i, j) of region r.

x (N, channels, height, width)   rois (regions, 4): x0, y0, x1, y1   images (regions)   y (regions, channels, rows, columns)
A bin has samples x samples samples; 0: as many along each axis as it has pixels, of which those beyond the image are
skipped. A region of an image that is not there
gives zeros. Places are computed in type `wide`: the number of samples is rounded up from them.
One item does `per_item` elements of y; index space: (elements / per_item).
Parameters: type; wide; index: int or long; largest; half_pixel: regions are moved by half a pixel, and may be empty.
</%doc>
<%namespace name="pieces" file="/sampling/roi_align/pieces.mako"/>\
${pieces.functions(entry, type, wide)}\
kernel void ${entry}(
    global const ${type}* restrict x, global const ${type}* restrict rois, global const ${index}* restrict images,
    global ${type}* restrict y, int batch, int channels, int height, int width, int rows, int columns, int samples,
    float spatial_scale, long total, long per_item) {
  const long begin = get_global_id(0) * per_item;
  const long end = begin + per_item < total ? begin + per_item : total;
  for (long at = begin; at < end; ++at) {
    long rest = at;
    const int j = rest % columns; rest /= columns;
    const int i = rest % rows; rest /= rows;
    const int c = rest % channels; rest /= channels;
    const long image = images[rest];
    if (image < 0 || image >= batch) {
      y[at] = 0;
      continue;
    }
    global const ${type}* plane = x + ((size_t)image * channels + c) * height * width;
    global const ${type}* roi = rois + rest * 4;
${pieces.bins(entry, wide, half_pixel)}\
    ${type} result = ${"here_y < count_y || here_x < count_x ? 0 : -INFINITY" if largest else "0"};
    for (int u = 0; u < here_y; ++u) {
      int top, bottom;
      ${type} top_weight, bottom_weight;
      ${entry}_corners(y0 + (i + (first_u + u + (${wide})0.5f) / count_y) * step_y, height, &top, &bottom, &top_weight, &bottom_weight);
      if (top_weight + bottom_weight == 0) {  // beyond the image, whatever lies at its corner
% if largest:
        result = result > 0 ? result : 0;
% endif
        continue;
      }
      for (int v = 0; v < here_x; ++v) {
        int left, right;
        ${type} left_weight, right_weight;
        ${entry}_corners(x0 + (j + (first_v + v + (${wide})0.5f) / count_x) * step_x, width, &left, &right, &left_weight, &right_weight);
        if (left_weight + right_weight == 0) {  // beyond the image, whatever lies at its corner
% if largest:
          result = result > 0 ? result : 0;
% endif
          continue;
        }
        const ${type} p = top_weight * left_weight * plane[(size_t)top * width + left];
        const ${type} q = top_weight * right_weight * plane[(size_t)top * width + right];
        const ${type} r = bottom_weight * left_weight * plane[(size_t)bottom * width + left];
        const ${type} s = bottom_weight * right_weight * plane[(size_t)bottom * width + right];
% if largest:
        const ${type} most = fmax(fmax(p, q), fmax(r, s));
        result = result > most ? result : most;
% else:
        result += (p + q) + (r + s);
% endif
      }
    }
    y[at] = count_y >= 1 && count_x >= 1 ? result${"" if largest else " / (%s)(count_y * count_x)" % type} : 0;
  }
}

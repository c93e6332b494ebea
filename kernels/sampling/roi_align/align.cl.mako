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
${pieces.element(entry, type, wide, largest, half_pixel)}\
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
    y[at] = ${entry}_element(plane, roi, i, j, height, width, rows, columns, samples, spatial_scale);
  }
}

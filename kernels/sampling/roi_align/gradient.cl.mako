<%doc>
dx[n, c] = sum over the regions r of image n, their bins and samples of dy[r, c, i, j], at the pixels around the sample times
their weights; of a largest corner at that one alone.

dy (regions, channels, rows, columns)   rois (regions, 4): x0, y0, x1, y1   images (regions)   x, dx (N, channels, height, width)
A bin has samples x samples samples; 0: as many along each axis as it has pixels.
A work-item owns `band` rows of `share` channels of an image, and adds what falls on them in the order of the regions; index
space: (height / band, channels / share, N). Parameters: type; wide: of places; index: int or long; largest; half_pixel.
</%doc>
<%namespace name="pieces" file="/sampling/roi_align/pieces.mako"/>\
<%
  corners = [(y, x) for y in ("top", "bottom") for x in ("left", "right")]
%>
${pieces.functions(entry, type, wide)}\
kernel void ${entry}(
    global const ${type}* restrict dy, global const ${type}* restrict rois, global const ${index}* restrict images,
% if largest:
    global const ${type}* restrict x,
% endif
    global ${type}* restrict dx, int channels, int height, int width, int regions, int rows, int columns, int samples,
    float spatial_scale, int band, int share) {
  const long n = get_global_id(2);
  const int first = get_global_id(1) * share, stop = min(first + share, channels);
  const int row_begin = get_global_id(0) * band, row_end = min(row_begin + band, height);
  for (int c = first; c < stop; ++c) {
    global ${type}* plane = dx + ((size_t)n * channels + c) * height * width;
    for (size_t k = (size_t)row_begin * width; k < (size_t)row_end * width; ++k) plane[k] = 0;
  }
  for (int region = 0; region < regions; ++region) {
    if (images[region] != n) continue;
    global const ${type}* roi = rois + (size_t)region * 4;
    for (int bin = 0; bin < rows * columns; ++bin) {
      const int i = bin / columns, j = bin - i * columns;
${pieces.bins(entry, wide, half_pixel)}\
      if (!(count_y >= 1 && count_x >= 1)) continue;
% if largest:
      for (int c = first; c < stop; ++c) {
        global const ${type}* source = x + ((size_t)n * channels + c) * height * width;
        // The first of equal corners; -1 where that is a sample beyond the image.
        ${type} most = here_y < count_y || here_x < count_x ? 0 : -INFINITY, factor = 0;
        long place = -1;
% endif
      for (int u = 0; u < here_y; ++u) {
        int top, bottom;
        ${type} top_weight, bottom_weight;
        ${entry}_corners(y0 + (i + (first_u + u + (${wide})0.5f) / count_y) * step_y, height, &top, &bottom, &top_weight, &bottom_weight);
        for (int v = 0; v < here_x; ++v) {
          int left, right;
          ${type} left_weight, right_weight;
          ${entry}_corners(x0 + (j + (first_v + v + (${wide})0.5f) / count_x) * step_x, width, &left, &right, &left_weight, &right_weight);
          const int beyond = top_weight + bottom_weight == 0 || left_weight + right_weight == 0;
% if largest:
          if (beyond) {
            if (!(most >= 0)) { most = 0; place = -1; }
            continue;
          }
% for y, x in corners:
          {
            const ${type} weight = ${y}_weight * ${x}_weight;
            const long at = (long)${y} * width + ${x};
            if (weight * source[at] > most) { most = weight * source[at]; place = at; factor = weight; }
          }
% endfor
        }
      }
        if (place >= (long)row_begin * width && place < (long)row_end * width)
          dx[((size_t)n * channels + c) * height * width + place] += factor * dy[(((size_t)region * channels + c) * rows + i) * columns + j];
      }
% else:
          if (beyond) continue;
          for (int c = first; c < stop; ++c) {
            const ${type} g = dy[(((size_t)region * channels + c) * rows + i) * columns + j] / (${type})(count_y * count_x);
            global ${type}* plane = dx + ((size_t)n * channels + c) * height * width;
% for y, x in corners:
            if (${y} >= row_begin && ${y} < row_end) plane[(size_t)${y} * width + ${x}] += ${y}_weight * ${x}_weight * g;
% endfor
          }
        }
      }
% endif
    }
  }
}

<%doc>
What the kernels of RoiAlign and of its gradient share: where the samples of a bin lie, and the pixels around a sample.
type: of the elements; wide: of places.
</%doc>

<%def name="functions(entry, type, wide)">\
// The two pixels around a place along one axis and their weights; no weight outside the image.
void ${entry}_corners(${wide} place, int size, int* low, int* high, ${type}* low_weight, ${type}* high_weight) {
  *low = *high = 0;
  *low_weight = *high_weight = 0;
  if (!(place >= -1 && place <= size)) return;
  place = place < 0 ? 0 : place;
  *low = min((int)place, size - 1);
  *high = min(*low + 1, size - 1);
  *high_weight = *low < size - 1 ? (${type})(place - *low) : 0;
  *low_weight = 1 - *high_weight;
}

// How many samples, a stretch apart from begin + stretch / 2 on, may lie on the image, and which is the first: one more
// on either side, because ${entry}_corners decides. Samples of a bin's own number are half a pixel apart or more.
int ${entry}_here(${wide} begin, ${wide} stretch, ${wide} count, int size, int samples, long* first) {
  *first = 0;
  if (!(count >= 1 && isfinite(begin) && isfinite(stretch))) return 0;
  const ${wide} most = samples ? samples : (${wide})2 * size + 8;
  if (count <= most) return (int)count;
  const ${wide} from = floor((-1 - begin) / stretch - (${wide})0.5f) - 1;
  const ${wide} lowest = clamp(from, (${wide})0, count - most);
  *first = (long)lowest;
  return (int)most;
}

</%def>

## Where a region begins, how far its bins and its count_y x count_x samples of a bin are apart.
<%def name="region(wide, half_pixel)">\
    const ${wide} shift = ${"0.5f" if half_pixel else "0"};
    const ${wide} x0 = roi[0] * (${wide})spatial_scale - shift, y0 = roi[1] * (${wide})spatial_scale - shift;
    ${wide} across = roi[2] * (${wide})spatial_scale - shift - x0, down = roi[3] * (${wide})spatial_scale - shift - y0;
% if not half_pixel:
    across = across <= 1 ? 1 : across;
    down = down <= 1 ? 1 : down;
% endif
    const ${wide} step_y = down / rows, step_x = across / columns;
    const ${wide} count_y = samples ? samples : ceil(step_y), count_x = samples ? samples : ceil(step_x);
</%def>

## The samples of bin (i, j) of region `roi`: of count_y x count_x, here_y x here_x from first_u, first_v on matter.
<%def name="bins(entry, wide, half_pixel)">\
${region(wide, half_pixel)}\
    // Only samples on the image add anything; there may be 1e9 of the others.
    long first_u, first_v;
    const int here_y = ${entry}_here(y0 + i * step_y, step_y / count_y, count_y, height, samples, &first_u);
    const int here_x = ${entry}_here(x0 + j * step_x, step_x / count_x, count_x, width, samples, &first_v);
</%def>

## One element of the result: bin (i, j) of region `roi` on a plane of the image, whose pixels are `step` elements apart.
<%def name="element(entry, type, wide, largest, half_pixel, step=1)">\
<%
  step = " * %d" % step if step > 1 else ""
%>\
${type} ${entry}_element(
    global const ${type}* plane, global const ${type}* roi, int i, int j, int height, int width, int rows, int columns,
    int samples, float spatial_scale) {
${bins(entry, wide, half_pixel)}\
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
      const ${type} p = top_weight * left_weight * plane[((size_t)top * width + left)${step}];
      const ${type} q = top_weight * right_weight * plane[((size_t)top * width + right)${step}];
      const ${type} r = bottom_weight * left_weight * plane[((size_t)bottom * width + left)${step}];
      const ${type} s = bottom_weight * right_weight * plane[((size_t)bottom * width + right)${step}];
% if largest:
      const ${type} most = fmax(fmax(p, q), fmax(r, s));
      result = result > most ? result : most;
% else:
      result += (p + q) + (r + s);
% endif
    }
  }
  return count_y >= 1 && count_x >= 1 ? result${"" if largest else " / (%s)(count_y * count_x)" % type} : 0;
}

</%def>

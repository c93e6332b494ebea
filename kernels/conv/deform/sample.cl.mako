<%doc>
columns[n, c, k, p] = mask[n, g, k, p] * x[n, c] at the place of tap k of the window at pixel p, moved by offset[n, g, k, :, p].

Between pixels bilinear, zero outside the image. g is the offset group of channel c.
x (N, C, height, width)   offset (N, groups, kernel, 2, pixels), y before x   mask (N, groups, kernel, pixels)
columns (N, C, kernel, pixels)   pixels = rows of `out_width`
One item does one tap of one channel, `per_item` pixels; index space: (pixels / per_item, C * kernel, N).
Parameters: type; mask: whether there is one.
</%doc>
kernel void ${entry}(
    global const ${type}* restrict x, global const ${type}* restrict offset,
% if mask:
    global const ${type}* restrict mask,
% endif
    global ${type}* restrict columns, int channels, int height, int width, int out_width, int pixels, int groups,
    int kernel_height, int kernel_width, int stride_y, int stride_x, int dilation_y, int dilation_x, int pad_y, int pad_x,
    int per_item) {
  const int taps = kernel_height * kernel_width;
  const int c = get_global_id(1) / taps, k = get_global_id(1) % taps;
  const size_t n = get_global_id(2);
  const int g = c / (channels / groups);
  const size_t line = ((n * groups + g) * taps + k) * pixels;
  global const ${type}* image = x + (n * channels + c) * height * width;
  global ${type}* target = columns + ((n * channels + c) * taps + k) * pixels;
  const int tap_y = k / kernel_width * dilation_y - pad_y, tap_x = k % kernel_width * dilation_x - pad_x;
  const int begin = get_global_id(0) * per_item, end = begin + min(per_item, pixels - begin);
  for (int p = begin; p < end; ++p) {
    const ${type} y = p / out_width * stride_y + tap_y + offset[2 * line + p];
    const ${type} z = p % out_width * stride_x + tap_x + offset[2 * line + pixels + p];
    ${type} value = 0;
    if (y > -1 && y < height && z > -1 && z < width) {
      const int top = (int)floor(y), left = (int)floor(z);
      const ${type} v = y - top, u = z - left;
      global const ${type}* corner = image + (long)top * width + left;
      if (top >= 0 && left >= 0) value += (1 - v) * (1 - u) * corner[0];
      if (top >= 0 && left + 1 < width) value += (1 - v) * u * corner[1];
      if (top + 1 < height && left >= 0) value += v * (1 - u) * corner[width];
      if (top + 1 < height && left + 1 < width) value += v * u * corner[width + 1];
    }
    target[p] = value${" * mask[line + p]" if mask else ""};
  }
}

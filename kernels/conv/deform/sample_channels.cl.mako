<%doc>
columns[n, b, p, k, c] = mask[n, g, k, p] * x[n, :, b * C / batches + c] at the place of tap k of the window at pixel p, moved
by offset[n, g, k, :, p]. For CPUs: the place is computed once for all channels of offset group g, and these lie together.

Between pixels bilinear, zero outside the image.
x (N, height, width, C)   offset (N, groups, kernel, 2, pixels), y before x   mask (N, groups, kernel, pixels)
columns (N, batches, pixels, kernel, C / batches)   nothing (C): zeros, what is read outside the image
run: channels that are of one offset group and of one batch, next to each other
One item does `per_item` pixels; index space: (pixels / per_item, N).
Parameters: block: channels in a vector; mask: whether there is one.
</%doc>
<%!
from clconv.lowering.model.ctext import load, store, vector_type
%>
<%
  V = vector_type(block)
  corners = ("top_left", "top_right", "low_left", "low_right")
%>
kernel __attribute__((vec_type_hint(${V}))) void ${entry}(
    global const float* restrict x, global const float* restrict offset,
% if mask:
    global const float* restrict mask,
% endif
    global const float* restrict nothing, global float* restrict columns, int channels, int height, int width,
    int out_width, int pixels, int groups, int batches, int run, int kernel_height, int kernel_width, int stride_y,
    int stride_x, int dilation_y, int dilation_x, int pad_y, int pad_x, int per_item) {
  const int taps = kernel_height * kernel_width, own = channels / batches, shared = channels / groups;
  const size_t n = get_global_id(1);
  global const float* image = x + n * height * width * channels;
  const int begin = get_global_id(0) * per_item, end = min(begin + per_item, pixels);
  for (int p = begin; p < end; ++p) {
    const int base_y = p / out_width * stride_y - pad_y, base_x = p % out_width * stride_x - pad_x;
    for (int g = 0; g < groups; ++g)
      for (int k = 0; k < taps; ++k) {
        const size_t line = ((n * groups + g) * taps + k) * pixels;
        const float y = base_y + k / kernel_width * dilation_y + offset[2 * line + p];
        const float z = base_x + k % kernel_width * dilation_x + offset[2 * line + pixels + p];
% for corner in corners:
        global const float* ${corner} = nothing;
% endfor
        float v = 0, u = 0;
        if (y > -1 && y < height && z > -1 && z < width) {
          // Not floor(), which is a call here. The added one may round up, at most to the next pixel.
          const int top = min((int)(y + 1) - 1, height - 1), left = min((int)(z + 1) - 1, width - 1);
          v = y - top;
          u = z - left;
          global const float* corner = image + ((long)top * width + left) * channels + g * shared;
          if (top >= 0 && left >= 0) top_left = corner;
          if (top >= 0 && left + 1 < width) top_right = corner + channels;
          if (top + 1 < height && left >= 0) low_left = corner + (long)width * channels;
          if (top + 1 < height && left + 1 < width) low_right = corner + ((long)width + 1) * channels;
        }
        const float scale = ${"mask[line + p]" if mask else "1.0f"};
        const float weight_top_left = (1 - v) * (1 - u) * scale, weight_top_right = (1 - v) * u * scale;
        const float weight_low_left = v * (1 - u) * scale, weight_low_right = v * u * scale;
        for (int first = 0; first < shared; first += run) {
          const int c = g * shared + first;
          global float* target = columns + (((n * batches + c / own) * pixels + p) * taps + k) * own + c % own;
          int i = 0;
          for (; i + ${block} <= run; i += ${block})
            ${store(V, "target + i")} = ${" + ".join("weight_%s * %s" % (c, load(V, "%s + first + i" % c)) for c in corners)};
          for (; i < run; ++i) target[i] = ${" + ".join("weight_%s * %s[first + i]" % (c, c) for c in corners)};
        }
      }
  }
}

<%doc>
Convolution of bytes that gives floats, by its definition, on plain tensors: one work-item computes one result.

x (N, C, H, W) of uchar    w (F, C / group, KH, KW) of char    y (N, F, OH, OW) of float    zero, scale: of x
multiplier, added: one for each filter. The formula is that of graph/ops/quantised/bytes_to_float.py.
step: elements of y from one index of its axis 1 to the next, of `channels`, for the epilogue.
Index space: (OH * OW, F, N). Parameters: added: whether there is a bias; epilogue.
</%doc>
<%namespace name="common" file="/common.mako"/>
kernel void ${entry}(
    global const uchar* restrict x, global const char* restrict w, global const uchar* restrict zero,
    global const float* restrict scale, global const float* restrict multiplier,
% if added:
    global const float* restrict added,
% endif
    global float* restrict y, int height, int width, int out_height, int out_width, int pad_top, int pad_left,
    int kernel_height, int kernel_width, int stride_height, int stride_width, int dilation_height,
    int dilation_width, int inner, int filters, int groups, int step, int channels${common.epilogue_parameters(epilogue_names)}) {
  const int place = get_global_id(0);
  const int f = get_global_id(1);
  const int n = get_global_id(2);
  const int oh = place / out_width, ow = place - oh * out_width;
  const int g = f / (filters / groups);
  const int x_zero = zero[0];
  int sum = 0;
  global const char* tap = w + (size_t)f * inner * kernel_height * kernel_width;
  for (int c = 0; c < inner; ++c) {
    global const uchar* plane = x + (((size_t)n * groups + g) * inner + c) * height * width;
    for (int kh = 0; kh < kernel_height; ++kh)
      for (int kw = 0; kw < kernel_width; ++kw, ++tap) {
        const int ih = oh * stride_height - pad_top + kh * dilation_height;
        const int iw = ow * stride_width - pad_left + kw * dilation_width;
        if (ih >= 0 && ih < height && iw >= 0 && iw < width) sum += (plane[ih * width + iw] - x_zero) * *tap;
      }
  }
  float value = (float)sum * (scale[0] * multiplier[f]);
% if added:
  value = value + added[f];
% endif
  const size_t at = ((size_t)n * filters + f) * out_height * out_width + place;
  const int channel = at / step % channels;
  ${common.apply_epilogue(epilogue, "value", "float", "channel", "at")}
  y[at] = value;
}

<%doc>
Convolution of bytes by its definition, on plain tensors: one work-item computes one result.

x (N, C, H, W) of uchar   w (F, C / group, KH, KW) of char   y (N, F, OH, OW) of uchar
multiplier, bias (F)      numbers: 9, see graph/ops/quantised/bytes.py     other: as y
Index space: (OH * OW, F, N). Parameters: twice, other.
</%doc>
<%namespace name="scalar" file="/quantised/bytes/scalar.mako"/>
kernel void ${entry}(
    global const uchar* restrict x, global const char* restrict w, global const float* restrict multiplier,
    global const int* restrict bias, global const float* restrict numbers,
% if other:
    global const uchar* restrict other,
% endif
    global uchar* restrict y, int height, int width, int out_height, int out_width, int pad_top, int pad_left,
    int kernel_height, int kernel_width, int stride_height, int stride_width, int dilation_height,
    int dilation_width, int x_zero, int channels, int filters, int groups) {
  const int place = get_global_id(0);
  const int f = get_global_id(1);
  const int n = get_global_id(2);
  const int oh = place / out_width, ow = place - oh * out_width;
  const int g = f / (filters / groups);
  int sum = bias[f];
  global const char* tap = w + (size_t)f * channels * kernel_height * kernel_width;
  for (int c = 0; c < channels; ++c) {
    global const uchar* plane = x + (((size_t)n * groups + g) * channels + c) * height * width;
    for (int kh = 0; kh < kernel_height; ++kh)
      for (int kw = 0; kw < kernel_width; ++kw) {
        const int ih = oh * stride_height - pad_top + kh * dilation_height;
        const int iw = ow * stride_width - pad_left + kw * dilation_width;
        const int known = ih >= 0 && ih < height && iw >= 0 && iw < width;
        sum += (known ? plane[ih * width + iw] : x_zero) * *tap++;
      }
  }
  float value = (float)sum * multiplier[f];
  const size_t at = ((size_t)n * filters + f) * out_height * out_width + place;
  ${scalar.requantise("value", twice, other, "at")}
  y[at] = (uchar)value;
}

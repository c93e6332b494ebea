<%doc>
Pictures of few channels as bytes, the channels of a pixel side by side: y = saturate(rint(x / scale) + zero point).

x (N, channels, pixels) of float     y (N, pixels, 4) of uchar, the zero point where there is no channel
scale, zero: one each.  One work-item does `per_item` pixels of an image. Index space: (pixels / per_item, N).
Parameters: lanes: pixels at a time; channels 1 to 4; zero_point: whether there is one.
</%doc>
<%
  F, I = "float%d" % lanes, "int%d" % lanes
%>
kernel __attribute__((vec_type_hint(${F}))) void ${entry}(
    global const float* restrict x, global const float* restrict scale,
% if zero_point:
    global const uchar* restrict zero,
% endif
    global uchar* restrict y, int pixels, int per_item) {
  const int n = get_global_id(1);
  const int begin = get_global_id(0) * per_item;
  const int end = begin + per_item < pixels ? begin + per_item : pixels;
  const int point = ${"zero[0]" if zero_point else "0"};
  const float step = scale[0];
  typedef int quads_u __attribute__((ext_vector_type(${lanes}), aligned(4)));
  global const float* image = x + (size_t)n * ${channels} * pixels;
  global uchar* result = y + (size_t)n * pixels * 4;
  int p = begin;
  for (; p + ${lanes} <= end; p += ${lanes}) {
    ${I} four = (${I})(${"0" if channels == 4 else "point * %d" % sum(1 << 8 * c for c in range(channels, 4))});
% for c in range(channels):
    {
      ${F} q = *(global const ${F}_u*)(image + (size_t)${c} * pixels + p) / step;
      // Far beyond any range, so that the conversion to int is defined; NaN becomes the least value.
      q = q > -1000000.0f ? q : (${F})(-1000000.0f);
      q = q < 1000000.0f ? q : (${F})(1000000.0f);
      q = q + 12582912.0f; // rint as vector code
      q = q - 12582912.0f;
      ${I} whole = __builtin_convertvector(q, ${I}) + point;
      whole = whole < 0 ? (${I})(0) : whole;
      whole = whole > 255 ? (${I})(255) : whole;
      four |= whole << ${8 * c};
    }
% endfor
    *(global quads_u*)(result + p * 4) = four;
  }
  for (; p < end; ++p)
    for (int c = 0; c < 4; ++c) {
      int whole = point;
      if (c < ${channels}) {
        float q = image[(size_t)c * pixels + p] / step;
        q = q > -1000000.0f ? (q < 1000000.0f ? q : 1000000.0f) : -1000000.0f;
        q = q + 12582912.0f;
        q = q - 12582912.0f;
        whole += (int)q;
      }
      result[p * 4 + c] = (uchar)(whole < 0 ? 0 : whole > 255 ? 255 : whole);
    }
}

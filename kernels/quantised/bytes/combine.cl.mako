<%doc>
Sum or product of bytes, element by element, see graph/ops/quantised/bytes.py.

x, y (planes, pixels, lanes) of uchar     other: as x, or (planes, lanes) if each_channel      numbers: 9, see there
One work-item does one plane's `per_item` pixels. Index space: (pixels / per_item, planes).
Parameters: lanes 1, 4, 8 or 16; product; each_channel.
</%doc>
kernel void ${entry}(
    global const uchar* restrict x, global const uchar* restrict other, global const float* restrict numbers,
    global uchar* restrict y, long pixels, long per_item) {
  const long plane = get_global_id(1) * pixels;
  const long begin = get_global_id(0) * per_item;
  const long end = begin + per_item < pixels ? begin + per_item : pixels;
  const float x_zero = numbers[0], x_factor = numbers[1], zero = numbers[3], factor = numbers[4];
  const float low = numbers[5], high = numbers[6];
  const int point = (int)numbers[7];
  for (long p = begin; p < end; ++p)
    for (int lane = 0; lane < ${lanes}; ++lane) {
      const long at = (plane + p) * ${lanes} + lane;
      const float b = (float)other[${"get_global_id(1) * %d + lane" % lanes if each_channel else "at"}] - zero;
% if product:
      const float ab = ((float)x[at] - x_zero) * b;
      float value = ab * factor;
% else:
      const float a = ((float)x[at] - x_zero) * x_factor;
      float value = b * factor + a;
% endif
      value = value > low ? value : low;
      value = value < high ? value : high;
      value = value + 12582912.0f;  // rint as vector code
      value = value - 12582912.0f;
      y[at] = (uchar)((int)value + point);
    }
}

<%doc>
The mean of all pixels of bytes: y = rint(clip((sum - numbers[3]) * numbers[4])) + zero, see graph/ops/quantised/bytes.py.

x (N, C / lanes, pixels, lanes) of uchar    y (N, C / lanes, lanes) of uchar   numbers: 9, see there
One work-item computes one block of channels of one image. Index space: (C / lanes, N). Parameters: lanes 1, 4, 8 or 16.
</%doc>
<%namespace name="pieces" file="/quantised/bytes/pieces.mako"/>
% if lanes > 1:
${pieces.lanes_of(lanes)}
% endif
kernel void ${entry}(
    global const uchar* restrict x, global const float* restrict numbers, global uchar* restrict y, int pixels) {
  const size_t plane = get_global_id(1) * get_global_size(0) + get_global_id(0);
  global const uchar* image = x + plane * pixels * ${lanes};
  int sums[${lanes}];
% if lanes > 1:
  typedef int sums_of_lanes __attribute__((ext_vector_type(${lanes})));
  sums_of_lanes sum = (sums_of_lanes)(0);
  for (int p = 0; p < pixels; ++p)
    sum += __builtin_convertvector(*(global const byte_lanes_u*)(image + p * ${lanes}), sums_of_lanes);
  for (int lane = 0; lane < ${lanes}; ++lane) sums[lane] = sum[lane];
% else:
  sums[0] = 0;
  for (int p = 0; p < pixels; ++p) sums[0] += image[p];
% endif
  for (int lane = 0; lane < ${lanes}; ++lane) {
    float value = (float)(sums[lane] - (int)numbers[3]) * numbers[4];
    value = value > numbers[5] ? value : numbers[5];
    value = value < numbers[6] ? value : numbers[6];
    y[plane * ${lanes} + lane] = (uchar)(rint(value) + numbers[7]);
  }
}

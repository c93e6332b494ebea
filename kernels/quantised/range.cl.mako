<%doc>
Scale and zero point of a uint8 quantisation whose range goes from the least to the greatest element and holds 0.

low, high, scale: 1 float each; zero: 1 uchar. Index space: (1). A range of nothing but 0 has scale 1.
Parameters: quotient: C text of a / b, rounded as IEEE 754 has it where the device can.
</%doc>
kernel void ${entry}(
    global const float* restrict low, global const float* restrict high, global float* restrict scale,
    global uchar* restrict zero) {
  // NaN stays: the scale is NaN then.
  const float least = low[0] > 0 ? 0.0f : low[0];
  const float greatest = high[0] < 0 ? 0.0f : high[0];
  float a = greatest - least, b = 255.0f;
  const float width = ${quotient};
  b = width != 0 ? width : 1.0f;
  a = -least;
  const float point = rint(${quotient});
  scale[0] = b;
  zero[0] = (uchar)(point > 0 ? (point < 255 ? point : 255.0f) : 0.0f);
}

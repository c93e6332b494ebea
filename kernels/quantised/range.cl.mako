<%doc>
Scale and zero point of a uint8 quantisation: see range.mako.

lowest, highest, scale: 1 float each; zero: 1 uchar. Index space: (1). Parameters: quotient: see range.mako.
</%doc>
<%namespace name="range" file="/quantised/range.mako"/>
kernel void ${entry}(
    global const float* restrict lowest, global const float* restrict highest, global float* restrict scale,
    global uchar* restrict zero) {
  const float low = lowest[0], high = highest[0];
  ${range.step_and_point(quotient)}
  scale[0] = step;
  zero[0] = (uchar)point;
}

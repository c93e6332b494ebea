<%doc>
Scale and zero point of a uint8 quantisation whose range goes from the least to the greatest element and holds 0. Import with
  <%namespace name="range" file="/quantised/range.mako"/>
</%doc>

## Declares `step` and `point`, floats, from the C variables `low` and `high`; NaN stays: the scale is NaN then. A range of
## nothing but 0 has scale 1. quotient: C text of a / b, rounded as IEEE 754 has it where the device can.
<%def name="step_and_point(quotient)">
  const float least = low > 0 ? 0.0f : low;
  const float greatest = high < 0 ? 0.0f : high;
  float a = greatest - least, b = 255.0f;
  const float width = ${quotient};
  const float step = width != 0 ? width : 1.0f;
  a = -least;
  b = step;
  const float rounded = rint(${quotient});
  const float point = rounded > 0 ? (rounded < 255 ? rounded : 255.0f) : 0.0f;
</%def>

<%doc>
Behind dynamic_range, on CPUs: y = saturate(rint(x / scale) + zero point), half rounded to even, by the range of all of x.

x, y: `total` elements, in the same layout; parts (count, 2): the least and the greatest of parts of x. Writes scale and zero.
Index space: (total / per_item). Parameters: lanes.
</%doc>
<%namespace name="range" file="/quantised/range.mako"/>
<% F, I, B = "float%d" % lanes, "int%d" % lanes, "uchar%d" % lanes %>
kernel __attribute__((vec_type_hint(${F}))) void ${entry}(
    global const float* restrict x, global const float* restrict parts, global uchar* restrict y,
    global float* restrict scale, global uchar* restrict zero, int count, long total, long per_item) {
  float low = parts[0], high = parts[1];
  for (int part = 1; part < count; ++part) {
    const float l = parts[2 * part], h = parts[2 * part + 1];
    low = l < low || l != l ? l : low;
    high = h > high || h != h ? h : high;
  }
  ${range.step_and_point("a / b")}
  const int whole_point = (int)point;
  const long begin = get_global_id(0) * per_item;
  const long end = begin + per_item < total ? begin + per_item : total;
  if (begin == 0) {
    scale[0] = step;
    zero[0] = (uchar)whole_point;
  }
  typedef uchar bytes_u __attribute__((ext_vector_type(${lanes}), aligned(1)));
  long i = begin;
  for (; i + ${lanes} <= end; i += ${lanes}) {
    ${F} q = *(global const ${F}_u*)(x + i) / step;
    // Far beyond any range, so that the conversion to int is defined; NaN becomes the least value.
    q = q > -1000000.0f ? q : (${F})(-1000000.0f);
    q = q < 1000000.0f ? q : (${F})(1000000.0f);
    q = q + 12582912.0f; // rint as vector code
    q = q - 12582912.0f;
    ${I} whole = __builtin_convertvector(q, ${I}) + whole_point;
    whole = whole < 0 ? (${I})(0) : whole;
    whole = whole > 255 ? (${I})(255) : whole;
    *(global bytes_u*)(y + i) = __builtin_convertvector(whole, ${B});
  }
  for (; i < end; ++i) {
    float q = x[i] / step;
    q = q > -1000000.0f ? (q < 1000000.0f ? q : 1000000.0f) : -1000000.0f;
    q = q + 12582912.0f;
    q = q - 12582912.0f;
    const int whole = (int)q + whole_point;
    y[i] = (uchar)(whole < 0 ? 0 : whole > 255 ? 255 : whole);
  }
}

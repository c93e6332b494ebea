<%doc>
Rows of inputs as numbers of 16 bits, in two planes of bytes: x = scale * (256 * (high - 128) + low), for CPUs.

x (rows, features)   high, low (rows, features) of uchar   scale (rows): the greatest magnitude of a row over 32767
Index space: (rows). Parameters: lanes.
</%doc>
<%
  F, I, B = "float%d" % lanes, "int%d" % lanes, "uchar%d" % lanes
%>
kernel __attribute__((vec_type_hint(${F}))) void ${entry}(
    global const float* restrict x, global uchar* restrict high, global uchar* restrict low, global float* restrict scale,
    int features) {
  typedef float floats_u __attribute__((ext_vector_type(${lanes}), aligned(4)));
  typedef uchar bytes_u __attribute__((ext_vector_type(${lanes}), aligned(1)));
  const long begin = get_global_id(0) * (long)features;
  x += begin;
  high += begin;
  low += begin;
  ${F} most = 0;
  int i = 0;
  for (; i + ${lanes} <= features; i += ${lanes}) {
    ${F} f = *(global const floats_u*)(x + i);
    f = f < 0 ? -f : f;
    most = ((f > most) | (f != f)) ? f : most;
  }
  float greatest = 0;
  for (int lane = 0; lane < ${lanes}; ++lane) {
    const float f = ((private const float*)&most)[lane];
    greatest = f > greatest || f != f ? f : greatest;
  }
  for (int rest = i; rest < features; ++rest) {
    const float f = x[rest] < 0 ? -x[rest] : x[rest];
    greatest = f > greatest || f != f ? f : greatest;
  }
  scale[get_global_id(0)] = greatest / 32767.0f;
  const float steps = greatest > 1e-30f ? 32767.0f / greatest : 0.0f;  // none of a row so small, or of one with NaN
  for (i = 0; i < features; i += ${lanes}) {
    ${F} f = 0;
    if (i + ${lanes} <= features) f = *(global const floats_u*)(x + i);
    else for (int lane = 0; i + lane < features; ++lane) ((private float*)&f)[lane] = x[i + lane];
    f = f * steps;
    f = f > -32767.0f ? f : (${F})(-32767.0f);  // also NaN, of what is infinite
    f = f < 32767.0f ? f : (${F})(32767.0f);
    f = f + 12582912.0f;  // rint as vector code: the last bits of what 1.5 * 2^23 is added to
    const ${I} whole = (*(private ${I}*)&f + 32768) & 65535;
    const ${B} upper = __builtin_convertvector(whole >> 8, ${B}), lower = __builtin_convertvector(whole & 255, ${B});
    if (i + ${lanes} <= features) {
      *(global bytes_u*)(high + i) = upper;
      *(global bytes_u*)(low + i) = lower;
    } else {
      for (int lane = 0; i + lane < features; ++lane) {
        high[i + lane] = ((private const uchar*)&upper)[lane];
        low[i + lane] = ((private const uchar*)&lower)[lane];
      }
    }
  }
}

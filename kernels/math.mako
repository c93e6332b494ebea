<%doc>
Functions that element-wise expressions call, for float vectors and scalars alike. Every program that calls
one starts with these. PoCL's own exp, tanh, erf and log1p are functions that it does not inline and that
take ten times as long; what follows is straight-line vector code. Scalars take the built-in functions,
which GPUs do well: see scalar_math.mako. exp of 16 lanes has AVX-512's instruction for a power of two.

Errors in units in the last place: exp, expm1, pow, sin and cos 2, logistic, log1p, asin, acos and atan 3, tanh and normal 5,
erf 8. NaN and infinities come out as in C, but that tanh ends at 1 - 2.4e-7. Sources: exp and its polynomial, Cephes expf;
tanh and erf, the rational functions of Eigen; the others: see NAME_math.mako beside this.
</%doc>
<%namespace name="scalar" file="/scalar_math.mako"/>\
<%namespace name="normal" file="/normal_math.mako"/>\
<%namespace name="power" file="/power_math.mako"/>\
<%namespace name="arc" file="/arc_math.mako"/>\
<%namespace name="circle" file="/circle_math.mako"/>\
<%namespace name="whole" file="/whole_math.mako"/>\
<%
  widths = (2, 4, 8, 16)

  def horner(x, coefficients):
      """C text of the polynomial, highest power first."""
      text = "%.9ef" % coefficients[0]
      for c in coefficients[1:]:
          text = "(%s) * %s + %.9ef" % (text, x, c)
      return text

  def at_least(n, x, low, name="LEAST"):
      return "CLCONV_AT_%s%s(%s, (float%d)(%sf))" % (name, "_%d" % n if n > 2 else "", x, n, float(low))

  within = lambda n, x, low, high: at_least(n, at_least(n, x, low), high, "MOST")
  # exp(r) = 1 + r + r * r * p(r) for |r| <= log(2) / 2, of the least relative error, 3e-9
  exp_p = (1.3814598562e-3, 8.3687168788e-3, 4.1668388047e-2, 1.6666520632e-1, 4.9999993448e-1)
  # tanh(x) = x * p(x * x) / q(x * x) for |x| <= 7.9
  tanh_p = (-2.76076847742355e-16, 2.00018790482477e-13, -8.60467152213735e-11, 5.12229709037114e-08,
            1.48572235717979e-05, 6.37261928875436e-04, 4.89352455891786e-03)
  tanh_q = (1.19825839466702e-06, 1.18534705686654e-04, 2.26843463243900e-03, 4.89352518554385e-03)
  # erf(x) = x * p(x * x) / q(x * x) for |x| <= 4
  erf_p = (-2.72614225801306e-10, 2.77068142495902e-08, -2.10102402082508e-06, -5.69250639462346e-05,
           -7.34990630326855e-04, -2.95459980854025e-03, -1.60960333262415e-02)
  erf_q = (-1.45660718464996e-05, -2.13374055278905e-04, -1.68282697438203e-03, -7.37332916720468e-03,
           -1.42647390514189e-02)
  # log1p(x) = 2 * s * (1 + z / 3 + z^2 / 5 + ...) with s = x / (2 + x), z = s * s <= 1 / 9
  log_p = tuple(1.0 / n for n in (17, 15, 13, 11, 9, 7, 5, 3, 1))
%>
#define CLCONV_FUNCTION static inline __attribute__((overloadable, always_inline))
% for n in widths:
<% V, I = "float%d" % n, "int%d" % n %>
// 2^n = a * b and r of exp(x) = 2^n * exp(r); x must be within -104..89. The last bits of `shifted` are n + 254: the exponents
// of a and b, with their bias.
#define CLCONV_REDUCE_${n}(x) ${"\\"}
  const ${V} shifted = x * 1.44269504f + 12583166.0f; ${"\\"}
  const ${V} n = shifted - 12583166.0f; ${"\\"}
  const ${V} r = (x - n * 0.693359375f) + n * 2.12194440e-4f; ${"\\"}
  const ${I} half_of = as_${I}(shifted) >> 1; ${"\\"}
  const ${V} a = as_${V}(half_of << 23); ${"\\"}
  const ${V} b = as_${V}((as_${I}(shifted) - half_of) << 23);
CLCONV_FUNCTION ${V} clconv_exp(${V} x) {
  x = ${within(n, "x", -104, 89)};
% if n == 16:
#ifdef __AVX512F__
  const float16 n = (x * 1.44269504f + 12582912.0f) - 12582912.0f, r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  const float16 grown = ${horner("r", (*exp_p, 1.0, 1.0))};
  return __builtin_ia32_scalefps512_mask(grown, n, grown, (ushort)-1, 4);
#else
% endif
  CLCONV_REDUCE_${n}(x)
  return (${horner("r", (*exp_p, 1.0, 1.0))}) * a * b;
% if n == 16:
#endif
% endif
}
// exp(x) for x <= 0, less work: 2^n is one float, and the last bits of `shifted` are its exponent, n + 127. Below -87.7 it is 0,
// also where exp(x) is a denormal number.
CLCONV_FUNCTION ${V} clconv_exp_negative(${V} x) {
  x = ${at_least(n, "x", -88)};
  const ${V} shifted = x * 1.44269504f + 12583039.0f;
  const ${V} n = shifted - 12583039.0f;
  const ${V} r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  return (${horner("r", (*exp_p, 1.0, 1.0))}) * as_${V}(as_${I}(shifted) << 23);
}
// 1 + exp(-x). 2^n is one float, as there, infinite for n = 128, so that what is divided by it becomes 0; below -87 exp is lost beside 1.
CLCONV_FUNCTION ${V} clconv_beside_one(${V} x) {
  const ${V} y = ${within(n, "-x", -87, 89)};
  const ${V} shifted = y * 1.44269504f + 12583039.0f;
  const ${V} n = shifted - 12583039.0f;
  const ${V} r = (y - n * 0.693359375f) + n * 2.12194440e-4f;
  const ${V} scale = as_${V}(as_${I}(shifted) << 23);
  return (${horner("r", (*exp_p, 1.0, 1.0))}) * scale + 1.0f;
}
CLCONV_FUNCTION ${V} clconv_logistic(${V} x) { return 1.0f / clconv_beside_one(x); }
CLCONV_FUNCTION ${V} clconv_swish(${V} a, ${V} x) { return a / clconv_beside_one(x); }
// exp(x) - 1 for x <= 0; for x > 0 without meaning.
CLCONV_FUNCTION ${V} clconv_expm1_negative(${V} x) {
  x = ${within(n, "x", -104, 0)};
  CLCONV_REDUCE_${n}(x)
  const ${V} scale = a * b;
  return ((${horner("r", exp_p)}) * (r * r) + r) * scale + (scale - 1.0f);
}
// log(1 + x) for 0 <= x <= 1.
CLCONV_FUNCTION ${V} clconv_log1p_unit(${V} x) {
  const ${V} s = x / (x + 2.0f);
  const ${V} z = s * s;
  return (${horner("z", log_p)}) * (s + s);
}
CLCONV_FUNCTION ${V} clconv_tanh(${V} x) {
  x = ${within(n, "x", -7.90531111, 7.90531111)};
  const ${V} z = x * x;
  return x * (${horner("z", tanh_p)}) / (${horner("z", tanh_q)});
}
// The nearest integer, half to even, between two that are smaller than 2^22; NaN is `low`. rint is no vector code.
CLCONV_FUNCTION ${V} clconv_round_within(${V} x, ${V} low, ${V} high) {
  x = x > low ? x : low;
  x = x > high ? high : x;
  return (x + 12582912.0f) - 12582912.0f;
}
// The nearest integer, half to even. What is 2^23 or more is one.
CLCONV_FUNCTION ${V} clconv_rint(${V} x) {
  const ${V} size = as_${V}(as_${I}(x) & 0x7FFFFFFF);
  const ${V} whole = size < 8388608.0f ? (size + 8388608.0f) - 8388608.0f : size;
  return as_${V}(as_${I}(whole) | (as_${I}(x) & (int)0x80000000));
}
CLCONV_FUNCTION ${V} clconv_erf(${V} x) {
  x = ${within(n, "x", -4, 4)};
  const ${V} z = x * x;
  return x * (${horner("z", erf_p)}) / (${horner("z", erf_q)});
}
${normal.function(V, I, horner, exp_p)}
${power.function(V, I, horner, exp_p)}
${arc.functions(V, I, horner)}
${circle.functions(n, V, I, horner)}
% endfor
${scalar.functions("float")}
${normal.function("float", "int", horner, exp_p)}
${whole.functions()}
${scalar.real_power("float")}
#ifdef cl_khr_fp64
${scalar.functions("double")}
CLCONV_FUNCTION double clconv_normal(double x) { return 0.5 * erfc(x * -0.70710678118654752); }
${scalar.real_power("double")}
#endif

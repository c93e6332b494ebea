<%doc>
The functions of math.mako for scalars of a type, and powers of integers. Import with
  <%namespace name="scalar" file="/scalar_math.mako"/>
</%doc>
## CLCONV_FUNCTION: see math.mako.
<%def name="functions(type)">
CLCONV_FUNCTION ${type} clconv_exp(${type} x) { return exp(x); }
CLCONV_FUNCTION ${type} clconv_exp_negative(${type} x) { return exp(x); }
CLCONV_FUNCTION ${type} clconv_expm1_negative(${type} x) { return expm1(x); }
CLCONV_FUNCTION ${type} clconv_log1p_unit(${type} x) { return log1p(x); }
CLCONV_FUNCTION ${type} clconv_logistic(${type} x) { return 1 / (1 + exp(-x)); }
CLCONV_FUNCTION ${type} clconv_swish(${type} a, ${type} x) { return a / (1 + exp(-x)); }
CLCONV_FUNCTION ${type} clconv_tanh(${type} x) { return tanh(x); }
CLCONV_FUNCTION ${type} clconv_erf(${type} x) { return erf(x); }
CLCONV_FUNCTION ${type} clconv_rint(${type} x) { return rint(x); }
% if type == "float":
// PoCL's pow takes as long as eight vectors.
#if defined(__x86_64__) || defined(__aarch64__)
CLCONV_FUNCTION float clconv_pow(float x, float y) { return clconv_pow((float4)(x), (float4)(y)).s0; }
#else
CLCONV_FUNCTION float clconv_pow(float x, float y) { return pow(x, y); }
#endif
% else:
CLCONV_FUNCTION ${type} clconv_pow(${type} x, ${type} y) { return pow(x, y); }
% endif
% for name in ("sin", "cos", "tan", "asin", "acos", "atan"):
CLCONV_FUNCTION ${type} clconv_${name}(${type} x) { return ${name}(x); }
% endfor
CLCONV_FUNCTION ${type} clconv_round_within(${type} x, ${type} low, ${type} high) {
  x = x > low ? x : low;
  return rint(x > high ? high : x);
}
</%def>
## A real power of an integer, as an integer: as far as there is one.
<%def name="real_power(type)">
CLCONV_FUNCTION long clconv_power(long base, ${type} exponent) {
  if (exponent == rint(exponent) && fabs(exponent) < 1e6f) return clconv_power(base, (long)exponent);
  const ${type} result = pow((${type})base, exponent);
  if (result >= 9223372036854775807.0f) return LONG_MAX;
  if (result <= -9223372036854775808.0f) return LONG_MIN;
  return result == result ? (long)result : 0;
}
</%def>

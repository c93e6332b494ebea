<%doc>
Functions of integers in math.mako. Import with
  <%namespace name="whole" file="/whole_math.mako"/>

Processors divide integers one after another, but floats by vectors. What a quotient of integers of n bits lacks of a whole number is
nothing or at least 2^-(n + 1) of it, so that a float of more bits, cut, is the right one: loops over such quotients become vector code.
GPUs have few units for double. Branches would keep loops from it, too.
</%doc>
<%!
  # The float type whose quotient, cut, is exact; "" where there is none.
  by_float = {"char": "float", "uchar": "float", "short": "float", "ushort": "float", "int": "double",
              "uint": "", "long": "", "ulong": ""}
%>
<%def name="functions()">\
// Integer powers by squaring, modulo 2^64. Negative exponents: what is left of 1 / base^n as an integer.
CLCONV_FUNCTION long clconv_power(long base, long exponent) {
  if (exponent < 0) return base == 1 ? 1 : base == -1 ? (exponent & 1 ? -1 : 1) : 0;
  ulong result = 1, square = (ulong)base;
  for (; exponent; exponent >>= 1, square *= square)
    if (exponent & 1) result *= square;
  return (long)result;
}
#if (defined(__x86_64__) || defined(__aarch64__)) && defined(cl_khr_fp64)
#define CLCONV_BY_DOUBLE 1
#endif
// The quotient, cut towards zero; by 0 it is 0, and that of the least integer by -1 is the least integer.
% for type, real in by_float.items():
<% is_signed = not type.startswith("u") %>\
CLCONV_FUNCTION ${type} clconv_quotient(${type} a, ${type} b) {
% if is_signed:
  const ${type} minus = -(b == (${type})(-1)), above = (a ^ minus) - minus;
  const ${type} below = ((b == 0) | (b == (${type})(-1))) ? (${type})(1) : b;
% else:
  const ${type} above = a, below = b == 0 ? (${type})(1) : b;
% endif
% if real:
#ifdef CLCONV_BY_DOUBLE
  const ${type} quotient = (${type})((${real})above / (${real})below);
#else
  const ${type} quotient = above / below;
#endif
% else:
  const ${type} quotient = above / below;
% endif
  return quotient & (${type})-(b != 0);
}
% endfor
// A float cut towards zero; what lies outside ends at the limits, NaN is 0. One test of integers for what is usual: AVX2 does it
// element by element, and has one unit for comparisons of floats.
CLCONV_FUNCTION long clconv_long(float x) {
  const int size = as_int(x) & 0x7FFFFFFF;
  const long end = size > 0x7F800000 ? 0 : (as_int(x) < 0 ? LONG_MIN : LONG_MAX);
  return size < 0x5F000000 ? (long)x : end;
}
</%def>

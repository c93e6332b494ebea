<%doc>
The real power of math.mako, for float vectors. Import with
  <%namespace name="power" file="/power_math.mako"/>

x^y = 2^(y * log2(x)), where log2(x) has two parts, for an error of 2^-24 in a product of 128 would be one of 90 units in the last place.
log2(1 + f) = 2 / log(2) * (s + s^3 / 3 + s^5 / 5 + ...), s = f / (2 + f), as fdlibm's powf, without its table. A head has twelve bits, so
that the product of two is exact, whether or not it is joined with a sum. Special cases are those of C.
</%doc>
<%!
  odd_p = tuple(3.0 / n for n in (13, 11, 9, 7, 5))
  scale = 0.961796693925976  # 2 / (3 log(2))
  scale_head = 0.9619140625
%>
## V: the type, I: integers as wide, horner and exp_p: see math.mako.
<%def name="function(V, I, horner, exp_p)">
<%
  def head(text):
      return "as_%s(as_%s(%s) & (int)0xFFFFF000)" % (V, I, text)
%>\
CLCONV_FUNCTION ${V} clconv_pow(${V} x, ${V} y) {
  const ${V} a = as_${V}(as_${I}(x) & 0x7FFFFFFF), size = as_${V}(as_${I}(y) & 0x7FFFFFFF);
  // a = 2^n * (1 + f), f from -0.3 to 0.42.
  const ${I} is_denormal = a < 1.17549435e-38f;
  const ${I} bits = as_${I}(is_denormal ? a * 16777216.0f : a);
  const ${I} exponent = (bits - 0x3F3504F3) >> 23;
  const ${V} m = as_${V}(bits - (exponent << 23));
  const ${V} n = as_${V}(exponent + 0x4B400000) - (is_denormal ? (${V})(12582936.0f) : (${V})(12582912.0f));
  const ${V} f = m - 1.0f, inverse = 1.0f / (m + 1.0f), s = f * inverse;
  const ${V} s_head = ${head("s")}, m_head = ${head("m + 1.0f")};
  const ${V} s_rest = inverse * ((f - s_head * m_head) - s_head * (m - (m_head - 1.0f)));
  const ${V} z = s * s, square = s_head * s_head;
  const ${V} r = (${horner("z", odd_p)}) * (z * z) + s_rest * (s_head + s);
  const ${V} sum_head = ${head("3.0f + square + r")};
  const ${V} sum_rest = r - ((sum_head - 3.0f) - square);
  const ${V} product = s_head * sum_head, product_rest = s_rest * sum_head + sum_rest * s;
  const ${V} odd_head = ${head("product + product_rest")};
  const ${V} odd_rest = product_rest - (odd_head - product);
  const ${V} log_head = odd_head * ${"%.10ff" % scale_head};
  const ${V} log_rest = odd_head * ${"%.9ef" % (scale - scale_head)} + odd_rest * ${"%.9ef" % scale};
  const ${V} l_head = ${head("(log_head + log_rest) + n")};
  const ${V} l_rest = log_rest - ((l_head - n) - log_head);
  // With larger exponents all is 0, 1 or infinite.
  ${V} e = y > 8589934592.0f ? (${V})(8589934592.0f) : y;
  e = e < -8589934592.0f ? (${V})(-8589934592.0f) : e;
  const ${V} e_head = ${head("e")};
  ${V} whole_of = e_head * l_head, rest = (e - e_head) * l_head + e * l_rest;
  const ${V} total = whole_of + rest;
  const ${I} is_far = (total > 129.0f) | (total < -151.0f);
  whole_of = is_far ? (total > 0.0f ? (${V})(129.0f) : (${V})(-151.0f)) : whole_of;
  rest = is_far ? (${V})(0.0f) : rest;
  const ${V} shifted = (whole_of + rest) + 12582912.0f;
  const ${V} left = ((whole_of - (shifted - 12582912.0f)) + rest) * 0.693147181f;
  const ${I} whole = as_${I}(shifted) - 0x4B400000;
  const ${I} half_of = whole >> 1;
  ${V} found = ((${horner("left", exp_p)}) * (left * left) + (left + 1.0f)) * as_${V}((half_of + 127) << 23) *
      as_${V}((whole - half_of + 127) << 23);
  found = ((a == 0.0f) | (a == INFINITY)) ? ((a == 0.0f) == (y < 0.0f) ? (${V})(INFINITY) : (${V})(0.0f)) : found;
  // Of 2^23 and more all are whole, of 2^24 and more all are even.
  const ${V} units = size + 8388608.0f;
  const ${I} is_whole = (size >= 8388608.0f) | (units - 8388608.0f == size);
  const ${I} last = as_${I}(size >= 8388608.0f ? size : units) << 31;
  found = is_whole ? as_${V}(as_${I}(found) | (size < 16777216.0f ? as_${I}(x) & last : (${I})(0))) : found;
  const ${I} is_none = ((x < 0.0f) & (x > -INFINITY) & ~is_whole) | (as_${I}(a) > 0x7F800000) | (as_${I}(size) > 0x7F800000);
  found = is_none ? (${V})(NAN) : found;
  return ((x == 1.0f) | (y == 0.0f)) ? (${V})(1.0f) : found;
}
</%def>

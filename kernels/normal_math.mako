<%doc>
The normal distribution function of math.mako, for a float vector or scalar. Import with
  <%namespace name="normal" file="/normal_math.mako"/>

erfc(a / sqrt(2)) / 2 = exp(-a * a / 2) * p(a) / q(a) for 0 <= a <= 15. p and q were fitted to the least largest relative error,
6e-9 (linearised least squares with Lawson's weights). All their coefficients are positive, so that nothing cancels.
</%doc>
<%!
  normal_p = (4.123480061e-03, 4.06816494e-02, 1.833789422e-01, 4.384893125e-01, 5.00000003e-01)
  normal_q = (1.033591363e-02, 1.019801521e-01, 4.698502145e-01, 1.203100867, 1.67486361, 1.0)
%>
## V: the type, I: integers as wide, horner and exp_p: see math.mako.
<%def name="function(V, I, horner, exp_p)">
// The normal distribution function, (1 + erf(x / sqrt(2))) / 2, to relative precision for negative x as well.
CLCONV_FUNCTION ${V} clconv_normal(${V} x) {
  ${V} a = x < 0.0f ? -x : x;
  a = a > 15.0f ? (${V})(15.0f) : a;
  // Twelve bits, whose square is exact, and the rest of the square.
  const ${V} head = as_${V}(as_${I}(a) & (int)0xFFFFF000);
  const ${V} square = head * head * -0.5f;
  const ${V} rest = (head - a) * (head + a) * 0.5f;
  const ${V} shifted = square * 1.44269504f + 12582912.0f;
  const ${V} n = shifted - 12582912.0f;
  const ${V} r = ((square - n * 0.693359375f) + n * 2.12194440e-4f) + rest;
  const ${I} whole = as_${I}(shifted) - 0x4B400000;
  const ${I} half_of = whole >> 1;
  const ${V} scale = as_${V}((half_of + 127) << 23), other = as_${V}((whole - half_of + 127) << 23);
  const ${V} tail = (${horner("a", normal_p)}) / (${horner("a", normal_q)}) *
      ((${horner("r", exp_p)}) * (r * r) + (r + 1.0f)) * scale * other;
  return x < 0.0f ? tail : 1.0f - tail;
}
</%def>

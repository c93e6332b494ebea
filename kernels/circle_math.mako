<%doc>
sin, cos and tan of float vectors. Import with
  <%namespace name="circle" file="/circle_math.mako"/>

tan is the built-in one. Lanes that need a long range reduction, from 10000 on, go one by one by the built-in functions: where
one lane of a vector does, PoCL takes it for all, and those near 0 come out wrong (sin(0.001) = 0.008).

For sin and cos of less the argument is taken to within pi/4 of 0 by parts of pi/2 (Cody and Waite). Multiples of the first
three, up to 6367, are exact floats, as are the first two differences. The rounding of the third is put right, so that r is off
by half a unit in its last place, with fused products or without. The polynomials are those of Cephes' sinf and cosf. Errors
in units in the last place: 2; the largest at every third float is 1.58.
</%doc>
<%!
  # pi/2 = first + second + third + rest; 8, 11, 11 and 24 bits
  first, second, third, rest = "1.5703125f", "4.837512969970703e-4f", "7.549533620476723e-8f", "2.5633440682570896e-12f"
  # sin(r) = r + r * z * p(z), cos(r) = 1 - z / 2 + z * z * q(z), z = r * r
  sin_p = (-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1)
  cos_q = (2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2)
%>
## n: lanes, V: the type, I: integers as wide, horner: see math.mako.
<%def name="functions(n, V, I, horner)">
% for name in ("sin", "cos"):
CLCONV_FUNCTION ${V} clconv_${name}_near(${V} x) {
  const ${V} a = as_${V}(as_${I}(x) & 0x7FFFFFFF);
  const ${V} shifted = a * 0.636619772f + 12582912.0f;  // its last bits are the number of quarters
  const ${V} n = shifted - 12582912.0f;
  const ${V} most = (a - n * ${first}) - n * ${second};
  const ${V} near = most - n * ${third};
  const ${V} r = near + (((most - near) - n * ${third}) - n * ${rest}), z = r * r;
  const ${V} sine = (${horner("z", sin_p)}) * (z * r) + r;
  const ${V} cosine = (${horner("z", cos_q)}) * (z * z) + (1.0f - 0.5f * z);
% if name == "sin":
  const ${I} quarter = as_${I}(shifted);
  const ${I} sign = (quarter << 30 ^ as_${I}(x)) & (int)0x80000000;
% else:
  const ${I} quarter = as_${I}(shifted) + 1;
  const ${I} sign = quarter << 30 & (int)0x80000000;
% endif
  return as_${V}(as_${I}(quarter << 31 < 0 ? cosine : sine) ^ sign);
}
% endfor
% for name in ("sin", "cos", "tan"):
CLCONV_FUNCTION ${V} clconv_${name}(${V} x) {
  const ${I} far = !((x < 0 ? -x : x) < 10000.0f);  // NaN as well
  ${V} y = ${"tan(far ? (%s)(0) : x)" % V if name == "tan" else "clconv_%s_near(x)" % name};
% for half in [n >> i for i in range(1, n.bit_length() - 1)]:
  const int${half} far${half} = far${2 * half if 2 * half < n else ""}.lo | far${2 * half if 2 * half < n else ""}.hi;
% endfor
  if (far${2 if n > 2 else ""}.s0 | far${2 if n > 2 else ""}.s1) {
    float from[${n}], to[${n}];
    *(${V}_u*)from = x;
    *(${V}_u*)to = y;
    for (int i = 0; i < ${n}; ++i)
      if (!((from[i] < 0 ? -from[i] : from[i]) < 10000.0f)) to[i] = ${name}(from[i]);
    y = *(${V}_u*)to;
  }
  return y;
}
% endfor
</%def>

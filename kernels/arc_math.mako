<%doc>
Functions inverse to sin, cos and tan, for float vectors. Import with
  <%namespace name="arc" file="/arc_math.mako"/>

The polynomials are those of Cephes' asinf and SLEEF's atanf. Errors in units in the last place: 3.
</%doc>
<%!
  # asin(s) = s + s * z * p(z), z = s * s, for |s| <= 0.5
  asin_p = (4.2163199048e-2, 2.4181311049e-2, 4.5470025998e-2, 7.4953002686e-2, 1.6666752422e-1)
  # atan(t) = t + t * z * p(z), z = t * t, for 0 <= t <= 1
  atan_p = (2.82363896258e-3, -1.59569028765e-2, 4.25049886107e-2, -7.48900920153e-2, 1.06347933412e-1,
            -1.42027363181e-1, 1.99926957488e-1, -3.33331018686e-1)
%>
## V: the type, I: integers as wide, horner: see math.mako.
<%def name="functions(V, I, horner)">
// asin(a) for 0 <= a <= 0.5; else asin(sqrt((1 - a) / 2)), twice which is acos(a).
CLCONV_FUNCTION ${V} clconv_asin_part(${V} a) {
  const ${V} z = a > 0.5f ? 0.5f - 0.5f * a : a * a;
  const ${V} s = a > 0.5f ? sqrt(z) : a;
  return (${horner("z", asin_p)}) * z * s + s;
}
CLCONV_FUNCTION ${V} clconv_asin(${V} x) {
  const ${V} a = as_${V}(as_${I}(x) & 0x7FFFFFFF), part = clconv_asin_part(a);
  const ${V} found = a > 0.5f ? 1.57079633f - 2.0f * part : part;
  return as_${V}(as_${I}(found) | (as_${I}(x) & (int)0x80000000));
}
CLCONV_FUNCTION ${V} clconv_acos(${V} x) {
  const ${V} a = as_${V}(as_${I}(x) & 0x7FFFFFFF), part = clconv_asin_part(a);
  const ${V} far = x < 0.0f ? 3.14159265f - 2.0f * part : 2.0f * part;
  return a > 0.5f ? far : 1.57079633f - as_${V}(as_${I}(part) | (as_${I}(x) & (int)0x80000000));
}
CLCONV_FUNCTION ${V} clconv_atan(${V} x) {
  const ${V} a = as_${V}(as_${I}(x) & 0x7FFFFFFF);
  const ${V} t = (a > 1.0f ? (${V})(1.0f) : a) / (a > 1.0f ? a : (${V})(1.0f)), z = t * t;
  const ${V} part = (${horner("z", atan_p)}) * z * t + t;
  const ${V} found = a > 1.0f ? 1.57079633f - part : part;
  return as_${V}(as_${I}(found) | (as_${I}(x) & (int)0x80000000));
}
</%def>

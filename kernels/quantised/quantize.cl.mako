<%doc>
y = saturate(rint(x / scale) + zero point), half rounded to even.

x, y: `total` elements; scale, zero: see places.mako. One item does `per_item` elements; index space: (total / per_item).
Parameters: source, scale_type: C types in memory; compute: type of the quotient; target: integer type;
quotient: C text of a / b, rounded as IEEE 754 has it where the device can; zero_point: whether there is one;
half_quotient: it is rounded to half first; low, high: range of the target; varied: see places.mako.
</%doc>
<%namespace name="storage" file="/storage.mako"/>
<%namespace name="places" file="/quantised/places.mako"/>
kernel void ${entry}(
    global const ${source}* restrict x, global const ${scale_type}* restrict scale,
% if zero_point:
    global const ${target}* restrict zero,
% endif
    global ${target}* restrict y, ${places.parameters()}) {
  <%places:loop varied="${varied}">
      const ${compute} a = (${compute})${storage.read(source, "x", "at")};
      const ${compute} b = (${compute})${storage.read(scale_type, "scale", "place")};
      // Far beyond any range, so that the conversion to int is defined; NaN becomes the least value.
      ${compute} q = ${quotient};
% if half_quotient:
      ushort bits[1];
      vstore_half_rte(q, 0, (half*)bits);
      q = vload_half(0, (half*)bits);
% endif
      q = q > -1000000 ? (q < 1000000 ? q : (${compute})1000000) : (${compute})-1000000;
% if compute == "float":
      q = (q + 12582912.0f) - 12582912.0f; // rint as vector code
% else:
      q = rint(q);
% endif
      const int whole = (int)q${" + zero[place]" if zero_point else ""};
      y[at] = (${target})(whole < ${low} ? ${low} : whole > ${high} ? ${high} : whole);
  </%places:loop>
}

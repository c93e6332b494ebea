<%doc>
y = (x - zero point) * scale.

x, y: `total` elements; scale, zero: see places.mako. One item does `per_item` elements; index space: (total / per_item).
Parameters: source: integer type; scale_type, target: C types in memory; compute: float or double; difference: an
integer type that holds x - zero; zero_point: whether there is one; varied: see places.mako.
</%doc>
<%namespace name="storage" file="/storage.mako"/>
<%namespace name="places" file="/quantised/places.mako"/>
kernel void ${entry}(
    global const ${source}* restrict x, global const ${scale_type}* restrict scale,
% if zero_point:
    global const ${source}* restrict zero,
% endif
    global ${target}* restrict y, ${places.parameters()}) {
  <%places:loop varied="${varied}">
      const ${difference} whole = (${difference})x[at]${" - zero[place]" if zero_point else ""};
      const ${compute} value = (${compute})whole * (${compute})${storage.read(scale_type, "scale", "place")};
      ${storage.write(target, "y", "at", "value")}
  </%places:loop>
}

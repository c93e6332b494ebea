<%doc>
What the products of quantised tensors share. Import with
  <%namespace name="pieces" file="/quantised/product/pieces.mako"/>
points: for each of x_zero and w_zero "" (none), "one" or "many" (a vector). wide: double where the device has it.
</%doc>
## Parameters of both zero points, as far as they are there.
<%def name="point_parameters(x_type, w_type, points)">\
% for name, type, kind in zip(("x_zero", "w_zero"), (x_type, w_type), points):
% if kind:
, global const ${type}* restrict ${name}\
% endif
% endfor
</%def>
## The zero point of an element: a number, or the one at an index.
<%def name="point(name, kind, index)">\
${{"": "0", "one": "%s[0]" % name, "many": "%s[%s]" % (name, index)}[kind]}\
</%def>
<%def name="scale_parameters(type, target)">\
, global const ${type}* restrict x_scale, global const ${type}* restrict w_scale,
    global const ${type}* restrict y_scale, global const ${target}* restrict y_zero\
</%def>
## Type and value of the factor that turns a sum into the result's integers: x_scale * w_scale / y_scale.
<%def name="factor(name, scale_type, compute, wide, quotient, x_index, w_index)">
<%
  read = (lambda array, index: "vload_half(%s, %s)" % (index, array)) if scale_type == "half" else (
      lambda array, index: "%s[%s]" % (array, index))
%>
  ${wide} ${name};
  {
    const ${compute} a = (${compute})${read("x_scale", x_index)} * (${compute})${read("w_scale", w_index)};
    const ${compute} b = ${read("y_scale", "0")};
    ${name} = ${quotient};
  }
</%def>
## Statement that stores saturate(rint(sum * factor) + y_zero).
<%def name="store(target, wide, place, total, factor, low, high)">
      {
        ${wide} scaled = rint((${wide})${total} * ${factor});
        scaled = scaled > -1000000 ? (scaled < 1000000 ? scaled : (${wide})1000000) : (${wide})-1000000;
        const int whole = (int)scaled + y_zero[0];
        ${place} = (${target})(whole < ${low} ? ${low} : whole > ${high} ? ${high} : whole);
      }
</%def>

<%doc>
Gradient of BatchNormalization, as in norm/batch/gradient, by definition, for plain x (batch, channels, pixels) of any
floats. One work-item does one channel. Index space: (channels).
Parameters: type: C type of x; wide: type of the sums; training; outputs: names among dx, dscale, dbias.
</%doc>
<%!
from clconv.lowering.model.ctext import element, set_element
%>
kernel void ${entry}(
    global const ${stored("x", type)}* restrict x, global const ${stored("dy", type)}* restrict dy
    , global const ${stored("mean", type)}* restrict mean
    , global const ${stored("scale", type)}* restrict scale, global const ${stored("inverse", type)}* restrict inverse
% for name in outputs:
    , global ${stored(name, type)}* restrict ${name}
% endfor
    , long images, long channels, long pixels) {
  const long channel = get_global_id(0);
  const ${wide} center = ${element("mean", "channel", stored("mean"))};
  ${wide} dy_sum = 0, product_sum = 0, rest_sum = 0;
  for (long image = 0; image < images; ++image) {
    ${wide} a = 0, b = 0, c = 0;
    for (long p = 0; p < pixels; ++p) {
      const long at = (image * channels + channel) * pixels + p;
      const ${wide} g = ${element("dy", "at", stored("dy"))}, d = ${element("x", "at", stored("x"))} - center;
      a += g; b += g * d; c += d;
    }
    dy_sum += a; product_sum += b; rest_sum += c;
  }
  const ${wide} count = (${wide})(images * pixels);
  const ${wide} factor = ${element("inverse", "channel", stored("inverse"))};
  const ${wide} slope = factor * ${element("scale", "channel", stored("scale"))};
% if training:
  const ${wide} rest = rest_sum / count;
% else:
  const ${wide} rest = 0;
% endif
  const ${wide} product = product_sum - rest * dy_sum;
% if "dscale" in outputs:
  ${set_element("dscale", "channel", "product * factor", stored("dscale"))}
% endif
% if "dbias" in outputs:
  ${set_element("dbias", "channel", "dy_sum", stored("dbias"))}
% endif
% if "dx" in outputs:
  for (long image = 0; image < images; ++image)
    for (long p = 0; p < pixels; ++p) {
      const long at = (image * channels + channel) * pixels + p;
% if training:
      const ${wide} n = (${element("x", "at", stored("x"))} - center - rest) * factor;
      ${set_element("dx", "at", "slope * (%s - dy_sum / count - n * (product * factor / count))" % element("dy", "at", stored("dy")), stored("dx"))}
% else:
      ${set_element("dx", "at", "slope * " + element("dy", "at", stored("dy")), stored("dx"))}
% endif
    }
% endif
}

<%doc>
BatchNormalization by the statistics of the batch, as in norm/batch/train, by definition, for plain x (batch, channels,
pixels) of any floats. One work-item normalises one channel. Index space: (channels).
Parameters: type: C type of x; wide: type of the sums; outputs; epsilon, momentum: C literals; epilogue (float).
</%doc>
<%namespace name="common" file="/common.mako"/>
<%!
from clconv.lowering.model.ctext import element, set_element
OLD = {"mean": "running_mean", "variance": "running_variance"}
%>
## Sums C text `value` of element v of the channel into a new variable.
<%def name="summed(name, value)">
  ${wide} ${name} = 0;
  for (long image = 0; image < images; ++image) {
    ${wide} part = 0;
    for (long p = 0; p < pixels; ++p) {
      const ${wide} v = ${element("x", "(image * channels + channel) * pixels + p", stored("x"))};
      part += ${value};
    }
    ${name} += part;
  }
</%def>
kernel void ${entry}(
    global const ${stored("x", type)}* restrict x
    , global const ${stored("scale", type)}* restrict scale, global const ${stored("bias", type)}* restrict bias
% for name in outputs:
% if name in OLD:
    , global const ${stored(OLD[name], type)}* restrict ${OLD[name]}
% endif
    , global ${stored("new_" + name, type)}* restrict new_${name}
% endfor
    , global ${stored("y", type)}* restrict y
    , long images, long channels, long pixels${common.epilogue_parameters(epilogue_names)}) {
  const long channel = get_global_id(0);
  const ${wide} count = (${wide})(images * pixels);
  ${summed("mean", "v")}
  mean = mean / count;
  ${summed("rest", "v - mean")}
  rest = rest / count;
  ${summed("variance", "(v - mean - rest) * (v - mean - rest)")}
  variance = variance / count;
  const ${wide} inverse = 1 / sqrt(variance + (${wide})(${epsilon}));
  const ${wide} whole_mean = mean - mean == 0 ? mean + rest : mean; // an infinite one stays what it is
  const ${wide} momentum = ${momentum};
% for name in outputs:
<%
  value = {"mean": "whole_mean", "variance": "variance", "saved_mean": "whole_mean", "saved_inverse": "inverse"}[name]
  if name in OLD:
      value = "%s * momentum + (%s) * (1 - momentum)" % (element(OLD[name], "channel", stored(OLD[name])), value)
%>\
  ${set_element("new_" + name, "channel", value, stored("new_" + name))}
% endfor
  for (long image = 0; image < images; ++image)
    for (long p = 0; p < pixels; ++p) {
      const long at = (image * channels + channel) * pixels + p;
      ${type} value = (${element("x", "at", stored("x"))} - mean - rest) * inverse * ${element("scale", "channel", stored("scale"))} + ${element("bias", "channel", stored("bias"))};
      ${common.apply_epilogue(epilogue, "value", type, "channel", "at")}
      ${set_element("y", "at", "value", stored("y"))}
    }
}

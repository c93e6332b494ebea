<%doc>
BatchNormalization by the statistics of the batch, as in norm/batch/train, for GPUs: x is (images, channels, pixels), and
the work-items of a group share a chunk of a channel's elements, which are counted image by image.

Index space: (members * channels, chunks), groups of (members, 1). Stage "statistics" leaves count, `top`, mean - top and
squares of each chunk in parts (chunks, 4, channels); stage "apply" joins them and normalises.
Parameters: members: work-items of a group, a power of two; stage; sum: the reduction; outputs, epsilon, momentum, epilogue: as in norm/batch/train.
</%doc>
<%namespace name="common" file="/common.mako"/>
<%namespace name="group" file="/group.mako"/>
<%!
from clconv.lowering.model.ctext import element, set_element
OLD = {"mean": "running_mean", "variance": "running_variance"}
%>
<%def name="each_element()">
  for (int e = first + id; e < last; e += ${members}) {
    const size_t at = ((size_t)(e / pixels) * channels + channel) * pixels + e % pixels;
</%def>
kernel __attribute__((reqd_work_group_size(${members}, 1, 1))) void ${entry}(
    global const ${stored("x")}* restrict x, global ${"const " if stage == "apply" else ""}float* restrict parts
% if stage == "apply":
    , global const ${stored("scale")}* restrict scale, global const ${stored("bias")}* restrict bias
% for name in outputs:
% if name in OLD:
    , global const ${stored(OLD[name])}* restrict ${OLD[name]}
% endif
    , global ${stored("new_" + name)}* restrict new_${name}
% endfor
    , global ${stored("y")}* restrict y
% endif
    , int channels, int pixels, int total, int chunk, int chunks${common.epilogue_parameters(epilogue_names) if stage == "apply" else ""}) {
  const int id = get_local_id(0), channel = get_group_id(0);
  const int first = get_group_id(1) * chunk, last = first + min(chunk, total - first);
% if stage == "statistics":
  ${group.memory("float", members)}
  const float top = ${element("x", "((size_t)(first / pixels) * channels + channel) * pixels + first % pixels", stored("x"))};
  float mean = 0, square = 0;
  ${each_element()}
    mean += ${element("x", "at", stored("x"))} - top;
  }
  ${group.join(sum, "mean", "float", members, 1, "id")}
  mean = mean / (float)(last - first);
  ${each_element()}
    const float d = ${element("x", "at", stored("x"))} - top - mean;
    square += d * d;
  }
  ${group.join(sum, "square", "float", members, 1, "id")}
  if (id == 0) {
    global float* part = parts + (size_t)get_group_id(1) * 4 * channels + channel;
    part[0] = last - first;
    part[channels] = top;
    part[2 * (size_t)channels] = mean;
    part[3 * (size_t)channels] = square;
  }
% else:
  float count = 0, top = 0, mean = 0, square = 0;
  for (int i = 0; i < chunks; ++i) {
    global const float* part = parts + (size_t)i * 4 * channels + channel;
    const float n = part[0], its_top = part[channels];
    if (i == 0) top = its_top;
    const float step = (its_top - top) + part[2 * (size_t)channels] - mean, share = n / (count + n);
    square += part[3 * (size_t)channels] + step * step * (count * share);
    mean += step * share;
    count += n;
  }
  const float variance = square / count, inverse = 1.0f / sqrt(variance + ${epsilon});
  if (id == 0 && get_group_id(1) == 0) {
    const float whole_mean = top - top == 0 ? top + mean : top; // an infinite one stays what it is
% for name in outputs:
<%
  value = {"mean": "whole_mean", "variance": "variance", "saved_mean": "whole_mean", "saved_inverse": "inverse"}[name]
  if name in OLD:
      value = "%s * %s + (%s) * (1.0f - %s)" % (element(OLD[name], "channel", stored(OLD[name])), momentum, value, momentum)
%>\
    ${set_element("new_" + name, "channel", value, stored("new_" + name))}
% endfor
  }
  const float a = inverse * ${element("scale", "channel", stored("scale"))}, b = ${element("bias", "channel", stored("bias"))};
  ${each_element()}
    float value = (${element("x", "at", stored("x"))} - top - mean) * a + b;
    ${common.apply_epilogue(epilogue, "value", "float", "channel", "at")}
    ${set_element("y", "at", "value", stored("y"))}
  }
% endif
}

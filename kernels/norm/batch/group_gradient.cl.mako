<%doc>
Gradient of BatchNormalization, as in norm/batch/gradient, for GPUs; groups and chunks as in norm/batch/group.

Stage "sums" leaves sums of dy, dy (x - mean) and x - mean of each chunk in parts (chunks, 3, channels); stage "apply"
joins them.
Parameters: members; stage; sum: the reduction; training; outputs: names among dx, dscale, dbias.
</%doc>
<%namespace name="group" file="/group.mako"/>
<%!
from clconv.lowering.model.ctext import element, set_element
SUMS = ("dy_sum", "product_sum", "rest_sum")
%>
<%def name="each_element()">
  for (int e = first + id; e < last; e += ${members}) {
    const size_t at = ((size_t)(e / pixels) * channels + channel) * pixels + e % pixels;
    const float g = ${element("dy", "at", stored("dy"))}, d = ${element("x", "at", stored("x"))} - center;
</%def>
kernel __attribute__((reqd_work_group_size(${members}, 1, 1))) void ${entry}(
    global const ${stored("x")}* restrict x, global const ${stored("dy")}* restrict dy
    , global const ${stored("mean")}* restrict mean, global ${"const " if stage == "apply" else ""}float* restrict parts
% if stage == "apply":
    , global const ${stored("scale")}* restrict scale, global const ${stored("inverse")}* restrict inverse
% for name in outputs:
    , global ${stored(name)}* restrict ${name}
% endfor
% endif
    , int channels, int pixels, int total, int chunk, int chunks) {
  const int id = get_local_id(0), channel = get_group_id(0);
  const int first = get_group_id(1) * chunk, last = first + min(chunk, total - first);
  const float center = ${element("mean", "channel", stored("mean"))};
  float dy_sum = 0, product_sum = 0, rest_sum = 0;
% if stage == "sums":
  ${group.memory("float", members)}
  ${each_element()}
    dy_sum += g;
    product_sum += g * d;
    rest_sum += d;
  }
% for i, name in enumerate(SUMS):
  ${group.join(sum, name, "float", members, 1, "id")}
  if (id == 0) parts[((size_t)get_group_id(1) * 3 + ${i}) * channels + channel] = ${name};
% endfor
% else:
  for (int i = 0; i < chunks; ++i) {
% for i, name in enumerate(SUMS):
    ${name} += parts[((size_t)i * 3 + ${i}) * channels + channel];
% endfor
  }
  const float count = total, factor = ${element("inverse", "channel", stored("inverse"))};
  const float slope = factor * ${element("scale", "channel", stored("scale"))};
  const float rest = ${"rest_sum / count" if training else "0"}, product = product_sum - rest * dy_sum;
  const float pull = slope * factor * factor * product / count, shift = pull * rest - slope * dy_sum / count;
  if (id == 0 && get_group_id(1) == 0) {
% if "dscale" in outputs:
    ${set_element("dscale", "channel", "product * factor", stored("dscale"))}
% endif
% if "dbias" in outputs:
    ${set_element("dbias", "channel", "dy_sum", stored("dbias"))}
% endif
  }
% if "dx" in outputs:
  ${each_element()}
    ${set_element("dx", "at", "g * slope - d * pull + shift" if training else "g * slope", stored("dx"))}
  }
% endif
% endif
}

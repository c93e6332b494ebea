<%doc>
Adds the partial sums that a split product leaves, then bias and epilogue.

parts (splits, total)    y (total) in order (N, F, pixels)
One work-item makes one element. Index space: (total). Parameters: bias, epilogue.
</%doc>
<%namespace name="common" file="/common.mako"/>
<%!
from clconv.lowering.model.ctext import set_element
%>\
kernel void ${entry}(
    global const float* restrict parts,
% if bias:
    global const float* restrict bias,
% endif
    global ${stored("y")}* restrict y, int splits, int total, int filters,
    int pixels${common.epilogue_parameters(epilogue_names)}) {
  const int at = get_global_id(0);
  if (at >= total) return;
  const int channel = at / pixels % filters;
  float sum = ${"bias[channel]" if bias else "0"};
  for (int split = 0; split < splits; ++split) sum += parts[(size_t)split * total + at];
  ${common.apply_epilogue(epilogue, "sum", "float", "channel", "at")}
  ${set_element("y", "at", "sum", stored("y"))}
}

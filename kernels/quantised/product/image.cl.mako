<%doc>
Images of bytes less their zero point, as floats, with zeros around them: pads are zero points, which add nothing.

x (planes, size...)   image (planes, padded...): pixel i of an axis lies at i + pad; what is beyond the end is left out
One item does one row of the last axis. Index space: (product of the other padded axes, planes).
Parameters: type; point: kind of zero point, see pieces.mako; spatial axes.
</%doc>
<%namespace name="pieces" file="/quantised/product/pieces.mako"/>
<%
  axes = range(spatial)
  last = spatial - 1
%>
kernel void ${entry}(
    global const ${type}* restrict x\
${pieces.point_parameters(type, type, (point, ""))}\
, global float* restrict image\
% for what in ("size", "padded", "pad"):
% for i in axes:
, int ${what}${i}\
% endfor
% endfor
) {
  const int zero = ${pieces.point("x_zero", point, "0")};
  size_t line = get_global_id(1);
  bool inside = true;
  int rest = get_global_id(0);
% for i in reversed(axes[:-1]):
  const int i${i} = rest % padded${i} - pad${i}; rest /= padded${i};
  inside = inside && i${i} >= 0 && i${i} < size${i};
% endfor
% for i in axes[:-1]:
  line = line * size${i} + i${i};
% endfor
  global float* target = image + ((size_t)get_global_id(1) * get_global_size(0) + get_global_id(0)) * padded${last};
  const int begin = inside ? clamp(pad${last}, 0, padded${last}) : padded${last};
  const int end = inside ? clamp(pad${last} + size${last}, begin, padded${last}) : padded${last};
  for (int i = 0; i < begin; ++i) target[i] = 0;
  global const ${type}* source = x + (inside ? line * size${last} : 0);
  for (int i = begin; i < end; ++i) target[i] = (float)(source[i - pad${last}] - zero);
  for (int i = end; i < padded${last}; ++i) target[i] = 0;
}

<%doc>
Convolution by its definition: any rank, group, stride, dilation and padding, on plain tensors.

  y[n, f, o] = bias[f] + sum over c, k of w[f, c, k] * x[n, g * C + c, o * stride + k * dilation - pad]

x (N, group * C, size...)   w (filters, C, kernel...)   bias (filters)   y (N, filters, out...)
One work-item computes one element of y; index space: (pixels, filters, N).
Parameters: type float or double; spatial 1..3 axes; bias: whether there is one; pad_mode constant, reflect, edge or wrap;
epilogue: terms applied before the store (float).
</%doc>
<%namespace name="common" file="/common.mako"/>
<%!
from clconv.lowering.model.ctext import element, set_element
%>\
<%
  axes = range(spatial)
%>
kernel void ${entry}(
    global const ${stored("x", type)}* restrict x, global const ${stored("w", type)}* restrict w,
% if bias:
    global const ${stored("bias", type)}* restrict bias,
% endif
    global ${stored("y", type)}* restrict y, int channels, int filters, int group
% for what in ("size", "out", "kernel", "stride", "dilation", "pad"):
% for i in axes:
    , int ${what}${i}
% endfor
% endfor
    ${common.epilogue_parameters(epilogue_names)}) {
  const int pixel = get_global_id(0);
  const int f = get_global_id(1);
  const int n = get_global_id(2);
  int rest = pixel;
% for i in reversed(axes):
  const int o${i} = rest % out${i}; rest /= out${i};
% endfor
  const int first = f / (filters / group) * channels;
  ${type} sum = ${element("bias", "f", stored("bias")) if bias else "0"};
  for (int c = 0; c < channels; ++c) {
    size_t plane = (size_t)n * group * channels + first + c;
    size_t tap = (size_t)f * channels + c;
% for i in axes:
    plane *= size${i}; tap *= kernel${i};
% endfor
% for i in axes:
    for (int k${i} = 0; k${i} < kernel${i}; ++k${i}) {
      int i${i} = o${i} * stride${i} + k${i} * dilation${i} - pad${i};
% if pad_mode == "constant":
      if (i${i} < 0 || i${i} >= size${i}) continue;
% else:
      i${i} = ${common.padded_index(pad_mode, "i%d" % i, "size%d" % i)};
% endif
% endfor
<%
  source, weight = "i0", "k0"
  for i in list(axes)[1:]:
      source = "(%s) * size%d + i%d" % (source, i, i)
      weight = "(%s) * kernel%d + k%d" % (weight, i, i)
%>
      sum += ${element("x", "plane + " + source, stored("x"))} * ${element("w", "tap + " + weight, stored("w"))};
% for i in axes:
    }
% endfor
  }
  const size_t at = ((size_t)n * filters + f) * get_global_size(0) + pixel;
  ${common.apply_epilogue(epilogue, "sum", type, "f", "at")}
  ${set_element("y", "at", "sum", stored("y"))}
}

<%doc>
Transposed convolution by its definition, gathered: any rank, group, stride and dilation, on plain tensors.

  y[n, f, o] = bias[f] + sum over c, k with o + pad - k * dilation = i * stride of w[c, f, k] * x[n, c, i]

x (N, group * C, size...)   w (group * C, filters, kernel...)   bias (group * filters)
y (N, group * filters, out...)
One work-item computes `chunk` successive pixels of one filter; index space: (chunks, group * filters, N).
Parameters: type float or double; kernel, strides, dilations: one for each axis; bias; epilogue (float).
</%doc>
<%namespace name="common" file="/common.mako"/>
<%!
from clconv.lowering.model.ctext import element, set_element
%>\
<%
  axes = range(len(kernel))
  taps = 1
  source, weight = "i0", "k0"
  for i in axes:
      taps *= kernel[i]
  for i in axes[1:]:
      source = "(%s) * size%d + i%d" % (source, i, i)
      weight = "(%s) * %d + k%d" % (weight, kernel[i], i)
%>
kernel void ${entry}(
    global const ${stored("x", type)}* restrict x, global const ${stored("w", type)}* restrict w,
% if bias:
    global const ${stored("bias", type)}* restrict bias,
% endif
    global ${stored("y", type)}* restrict y, int channels, int filters, int group,
% for what in ("size", "out", "pad"):
% for i in axes:
    int ${what}${i},
% endfor
% endfor
    int chunk${common.epilogue_parameters(epilogue_names)}) {
  const int f = get_global_id(1);
  const size_t n = get_global_id(2);
  const int g = f / filters;
  const int pixels = ${" * ".join("out%d" % i for i in axes)};
  const size_t plane = ${" * ".join("(size_t)size%d" % i for i in axes)};
  global const ${stored("x", type)}* image = x + (n * group + g) * channels * plane;
  global const ${stored("w", type)}* filter = w + ((size_t)g * channels * filters + (f - g * filters)) * ${taps};
  const int stop = (int)get_global_id(0) * chunk + min(chunk, pixels - (int)get_global_id(0) * chunk);
  for (int pixel = get_global_id(0) * chunk; pixel < stop; ++pixel) {
    int rest = pixel;
% for i in reversed(axes):
    const int u${i} = rest % out${i} + pad${i}; rest /= out${i};
% endfor
    ${type} sum = ${element("bias", "f", stored("bias")) if bias else "0"};
% for i in axes:
    for (int k${i} = 0; k${i} < ${kernel[i]}; ++k${i}) {
      const int t${i} = u${i} - k${i} * ${dilations[i]};
      const int i${i} = t${i} / ${strides[i]};
      if (t${i} < 0 || t${i} % ${strides[i]} != 0 || i${i} >= size${i}) continue;
% endfor
      for (int c = 0; c < channels; ++c)
        sum += ${element("image", "c * plane + " + source, stored("x"))} * ${element("filter", "(size_t)c * filters * %d + %s" % (taps, weight), stored("w"))};
% for i in axes:
    }
% endfor
    const size_t at = (n * get_global_size(1) + f) * pixels + pixel;
    ${common.apply_epilogue(epilogue, "sum", type, "f", "at")}
    ${set_element("y", "at", "sum", stored("y"))}
  }
}

<%doc>
Pooling by its definition: any number of axes, stride, dilation and padding, on plain tensors.

  y[n, c, o] = max, mean or p-norm over k of x[n, c, o * stride + k * dilation - begin]

x (N, C, size...)   y (N, C, out...)   indices (N, C, out...): where in x each maximum is, -1 for none
One work-item computes `chunk` successive results of one channel; index space: (chunks, N * C).
Pixels of padding "constant" are left out (an average counts them with count_pads); of the other modes they
are image values. What a window covers beyond the padded image (begin, end pixels) is left out.

Parameters: kind max, average, lp with power; type of the elements, and its lowest value; kernel, strides,
dilations: one for each axis; pad_mode constant, reflect, edge, wrap; values, indices: which outputs are
wanted; column_major: how indices count within a channel; epilogue (float).
</%doc>
<%namespace name="common" file="/common.mako"/>
<%namespace name="pieces" file="/pool/pieces.mako"/>
<%!
from clconv.lowering.ctext import element, set_element
%>\
<%
  axes = range(len(kernel))
  outside = " || ".join("i%d < 0 || i%d >= size%d" % (i, i, i) for i in axes)
  place, column_place = "i0", "i%d" % axes[-1]
  for i in axes[1:]:
      place = "(%s) * size%d + i%d" % (place, i, i)
  for i in reversed(axes[:-1]):
      column_place = "(%s) * size%d + i%d" % (column_place, i, i)
%>
kernel void ${entry}(
    global const ${stored("x", type)}* restrict x,
% if values:
    global ${stored("y", type)}* restrict y,
% endif
% if indices:
    global long* restrict indices,
% endif
% for what in ("size", "out", "begin", "end"):
% for i in axes:
    int ${what}${i},
% endfor
% endfor
    int channels, int chunk${common.epilogue_parameters(epilogue_names)}) {
  const size_t plane = get_global_id(1);
  const int pixels = ${" * ".join("out%d" % i for i in axes)};
  const size_t image = plane * ${" * ".join("size%d" % i for i in axes)};
  const int channel = plane % channels;
  const int stop = min((int)(get_global_id(0) + 1) * chunk, pixels);
  for (int pixel = get_global_id(0) * chunk; pixel < stop; ++pixel) {
    int rest = pixel;
% for i in reversed(axes):
    const int o${i} = rest % out${i} * ${strides[i]} - begin${i}; rest /= out${i};
% endfor
    ${type} result = ${lowest if kind == "max" else 0};
    long where = -1;
    int count = 0;
% for i in axes:
    for (int k${i} = 0; k${i} < ${kernel[i]}; ++k${i}) {
      int i${i} = o${i} + k${i} * ${dilations[i]};
      if (i${i} >= size${i} + end${i}) continue;
% if pad_mode != "constant":
      i${i} = ${common.padded_index(pad_mode, "i%d" % i, "size%d" % i)};
% endif
% endfor
% if pad_mode == "constant":
      if (${outside}) {
        count += ${int(count_pads)};
        continue;
      }
% endif
      const ${type} value = ${element("x", "image + " + place, stored("x"))};
      ++count;
% if kind == "max":
      if (value > result${" || value != value" if type in ("float", "double") else ""} || where < 0) {
        result = value;
        where = image + ${column_place if column_major else place};
      }
% else:
      ${pieces.take(kind, power, type, "result", "value")}
% endif
% for i in axes:
    }
% endfor
    ${pieces.finish(kind, power, type, "result", "count")}
    const size_t at = plane * pixels + pixel;
% if values:
    ${common.apply_epilogue(epilogue, "result", type, "channel", "at")}
    ${set_element("y", "at", "result", stored("y"))}
% endif
% if indices:
    indices[at] = where;
% endif
  }
}

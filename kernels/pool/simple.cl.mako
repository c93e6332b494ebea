<%doc>
Pooling by its definition: any number of axes, stride, dilation and padding, on plain tensors.

  y[n, c, o] = max, mean or p-norm over k of x[n, c, o * stride + k * dilation - begin]

x (N, C, size...)   y (N, C, out...)   indices (N, C, out...): where in x each maximum is, -1 for none; or taps: which
pixel of its window, row by row, 255 for none
One work-item computes `chunk` successive results of one channel; index space: (chunks, N * C).
Pixels of padding "constant" are left out (an average counts them with count_pads); of the other modes they
are image values. What a window covers beyond the padded image (begin, end pixels) is left out.

Parameters: kind max, average, lp with power; type of the elements, and its lowest value; kernel, strides,
dilations: one for each axis; pad_mode constant, reflect, edge, wrap; values, indices: which outputs are
wanted, "taps" in the place of indices; column_major: how indices count within a channel; place: int, or long where the padded image or the window is
so large (pad_mode constant only); epilogue (float).
</%doc>
<%namespace name="common" file="/common.mako"/>
<%namespace name="pieces" file="/pool/pieces.mako"/>
<%!
from clconv.lowering.model.ctext import element, set_element
%>\
<%
  axes = range(len(kernel))
  source, column_source = "i0", "i%d" % axes[-1]
  for i in axes[1:]:
      source = "(%s) * size%d + i%d" % (source, i, i)
  tap = "k0"
  for i in axes[1:]:
      tap = "(%s) * %d + k%d" % (tap, kernel[i], i)
  for i in reversed(axes[:-1]):
      column_source = "(%s) * size%d + i%d" % (column_source, i, i)
%>
kernel void ${entry}(
    global const ${stored("x", type)}* restrict x,
% if values:
    global ${stored("y", type)}* restrict y,
% endif
% if indices:
    global ${"uchar" if indices == "taps" else "long"}* restrict indices,
% endif
% for what in ("size", "out", "begin", "end"):
% for i in axes:
    ${place if what in ("begin", "end") else "int"} ${what}${i},
% endfor
% endfor
    int channels, int chunk${common.epilogue_parameters(epilogue_names)}) {
  const size_t plane = get_global_id(1);
  const int pixels = ${" * ".join("out%d" % i for i in axes)};
  const size_t image = plane * ${" * ".join("size%d" % i for i in axes)};
  const int channel = plane % channels;
  const int stop = (int)get_global_id(0) * chunk + min(chunk, pixels - (int)get_global_id(0) * chunk);
  for (int pixel = get_global_id(0) * chunk; pixel < stop; ++pixel) {
    int rest = pixel;
% for i in reversed(axes):
    const ${place} o${i} = ${"(long)" if place == "long" else ""}(rest % out${i}) * ${strides[i]} - begin${i}; rest /= out${i};
% endfor
% for i in axes:
    // The taps that meet the image, and those that the mean counts.
    const ${place} all${i} = o${i} < size${i} + end${i} ? (size${i} + end${i} - 1 - o${i}) / ${dilations[i]} + 1 : 0;
    const ${place} counted${i} = all${i} < ${kernel[i]} ? all${i} : ${kernel[i]};
% if pad_mode == "constant":
    const ${place} first${i} = o${i} < 0 ? (${dilations[i] - 1} - o${i}) / ${dilations[i]} : 0;
    const ${place} room${i} = o${i} < size${i} ? (size${i} - 1 - o${i}) / ${dilations[i]} + 1 : 0;
    const ${place} stop${i} = room${i} < ${kernel[i]} ? room${i} : ${kernel[i]};
% else:
    const ${place} first${i} = 0, stop${i} = counted${i};
% endif
% endfor
    ${type} result = ${lowest if kind == "max" else 0};
    long where = -1;
% for i in axes:
    for (${place} k${i} = first${i}; k${i} < stop${i}; ++k${i}) {
% if pad_mode == "constant":
      const int i${i} = o${i} + k${i} * ${dilations[i]};
% else:
      int i${i} = o${i} + k${i} * ${dilations[i]};
      i${i} = ${common.padded_index(pad_mode, "i%d" % i, "size%d" % i)};
% endif
% endfor
      const ${type} value = ${element("x", "image + " + source, stored("x"))};
% if kind == "max":
      if (value > result${" || value != value" if type in ("float", "double") else ""} || where < 0) {
        result = value;
        where = ${tap if indices == "taps" else "image + " + (column_source if column_major else source)};
      }
% else:
      ${pieces.take(kind, power, type, "result", "value")}
% endif
% for i in axes:
    }
% endfor
% if kind == "average":
<%
  counts = ["counted%d" % i if count_pads else "(stop%d > first%d ? stop%d - first%d : 0)" % (i, i, i, i) for i in axes]
%>\
    const ${type} count = ${" * ".join("(%s)%s" % (type, c) for c in counts)};
    result = result / (count > 1 ? count : 1);
% else:
    ${pieces.finish(kind, power, type, "result", "")}
% endif
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

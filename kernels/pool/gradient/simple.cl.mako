<%doc>
The way back from windows to the pixels under them, by its definition: any number of axes, on plain tensors.

  dx[n, c, p] = sum over the windows o that hold p of dy[n, c, o] where p is the pixel that o chose, or of
                dy[n, c, o] * share0[o0] * share1[o1] ...

dy, where (planes, out...): where says of each window the number of its pixel (uchar), or its place in dx (long)
dx (planes, size...), `total` elements. far: how far a window reaches from its first pixel.
One item does `per_item` elements of dx, and adds up the windows in a fixed order; index space: (total / per_item).
Parameters: type; by taps, indices or shares; kernel, strides, dilations: one for each axis; place: int, or long where the
padded image or the window is so large.
</%doc>
<%!
from clconv.lowering.model.ctext import element, set_element
%>\
<%
  axes = range(len(kernel))
  window, tap = "o0", "k0"
  for i in axes[1:]:
      window = "(%s) * out%d + o%d" % (window, i, i)
      tap = "(%s) * %d + k%d" % (tap, kernel[i], i)
%>
kernel void ${entry}(
    global const ${stored("dy", type)}* restrict dy,
% if by == "shares":
% for i in axes:
    global const ${type}* restrict share${i},
% endfor
% else:
    global const ${"uchar" if by == "taps" else "long"}* restrict where,
% endif
    global ${stored("dx", type)}* restrict dx,
% for what in ("size", "out", "begin", "far"):
% for i in axes:
    ${"int" if what in ("size", "out") else place} ${what}${i},
% endfor
% endfor
    long total, long per_item) {
  const long first = get_global_id(0) * per_item;
  const long stop = first + per_item < total ? first + per_item : total;
  for (long at = first; at < stop; ++at) {
    long plane = at;
% for i in reversed(axes):
    const ${place} p${i} = plane % size${i} + begin${i}; plane /= size${i};
    // The windows that may hold the pixel.
    const int low${i} = p${i} > far${i} ? (p${i} - far${i} + ${strides[i] - 1}) / ${strides[i]} : 0;
    const int high${i} = p${i} / ${strides[i]} < out${i} ? p${i} / ${strides[i]} : out${i} - 1;
% endfor
    const size_t source = plane * ${" * ".join("out%d" % i for i in axes)};
    ${type} sum = 0;
% for i in axes:
    for (int o${i} = low${i}; o${i} <= high${i}; ++o${i}) {
% if by != "indices":
      const ${place} k${i} = (p${i} - o${i} * (${place})${strides[i]}) / ${dilations[i]};
% if dilations[i] > 1:
      if (k${i} * ${dilations[i]} != p${i} - o${i} * (${place})${strides[i]}) continue;
% endif
% endif
% endfor
      const size_t o = source + ${window};
      const ${type} g = ${element("dy", "o", stored("dy"))};
% if by == "taps":
      sum += where[o] == ${tap} ? g : 0;
% elif by == "indices":
      sum += where[o] == at ? g : 0;
% else:
      sum += g * ${" * ".join("share%d[o%d]" % (i, i) for i in axes)};
% endif
% for i in axes:
    }
% endfor
    ${set_element("dx", "at", "sum", stored("dx"))}
  }
}

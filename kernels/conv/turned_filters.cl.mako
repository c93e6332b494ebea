<%doc>
Filters as the gradient of a convolution's image needs them: y[g * C + c, f, k] = w[g * F + f, c, taps - 1 - k].

w (G, F, C, taps)    y (G, C, F, taps), plain
One work-item makes `per_item` filters f of one row (g, c). Index space: (F / per_item, G * C).
Parameters: type: C type of the elements; taps.
</%doc>
<%! from clconv.lowering.model.ctext import element, set_element %>\
kernel void ${entry}(
    global const ${stored("w", type)}* restrict w, global ${stored("y", type)}* restrict y, int filters, int channels,
    int per_item) {
  const int row = get_global_id(1), c = row % channels;
  const int begin = get_global_id(0) * per_item, end = begin + min(per_item, filters - begin);
  for (int f = begin; f < end; ++f) {
    const size_t from = (((size_t)(row / channels) * filters + f) * channels + c) * ${taps};
    const size_t to = ((size_t)row * filters + f) * ${taps};
% if taps <= 25:
% for k in range(taps):
    ${set_element("y", "to + %d" % k, element("w", "from + %d" % (taps - 1 - k), stored("w", type)), stored("y", type))}
% endfor
% else:
    for (int k = 0; k < ${taps}; ++k)
      ${set_element("y", "to + k", element("w", "from + %d - k" % (taps - 1), stored("w", type)), stored("y", type))}
% endif
  }
}

<%doc>
outside[0], outside[1] = 1 if an index lies outside the window of its element, in an image of the size of the result
(out0, out1, ...) or of the default size (natural0, ...). Both were 0 before; items that write one write the same.

indices (planes, size0, size1, ...), `total` elements. Element i of an axis has the window from i * stride - pad on.
One item does `per_item` elements; index space: (total / per_item). Parameters: index: int or long; spatial axes.
</%doc>
kernel void ${entry}(
    global const ${index}* restrict indices, global int* restrict outside
% for what in ("natural", "out", "size", "window", "stride", "pad"):
% for i in range(spatial):
    , int ${what}${i}
% endfor
% endfor
    , long total, long per_item) {
  const long begin = get_global_id(0) * per_item;
  const long end = begin + per_item < total ? begin + per_item : total;
  for (long i = begin; i < end; ++i) {
    long rest = i, out_rest = indices[i], natural_rest = out_rest;
    int in_out = out_rest >= 0, in_natural = in_out;
% for i in reversed(range(spatial)):
    {
      const long first = rest % size${i} * stride${i} - pad${i};
      rest /= size${i};
% for what in ("out", "natural"):
      const long ${what}_place = ${what}_rest % ${what}${i};
      in_${what} &= ${what}_place >= first && ${what}_place < first + window${i};
      ${what}_rest /= ${what}${i};
% endfor
    }
% endfor
    if (!in_out || out_rest != rest) outside[0] = 1;
    if (!in_natural || natural_rest != rest) outside[1] = 1;
  }
}

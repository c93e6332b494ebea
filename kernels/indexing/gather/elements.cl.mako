<%doc>
y[i, j, ...] = x[i, j, ...] with indices[i, j, ...] in place of the index along AXIS.

indices and y (size0, size1, ...), `total` elements      x: stride0, ...; its size along AXIS is limit
A negative index counts from the end, one outside the axis is clamped. One item does `chunk` elements of y.
Index space: (total / chunk). Parameters: type: an unsigned integer of the element's size; index: int or long; rank; axis.
</%doc>
<%namespace name="place" file="/indexing/gather/place.mako"/>
kernel void ${entry}(
    global const ${type}* restrict x, global const ${index}* restrict indices, global ${type}* restrict y
% for what in ("int size", "long stride"):
% for i in range(rank):
    , ${what}${i}
% endfor
% endfor
    , int limit, long total, long chunk) {
  const long begin = get_global_id(0) * chunk;
  const long end = begin + min(chunk, total - begin);
  for (long at = begin; at < end; ++at) {
    long rest = at, from = 0;
% for i in reversed(range(rank)):
% if i == axis:
    rest /= size${i};
    from += ${place.clamped("indices[at]", "limit")} * stride${i};
% else:
    from += rest % size${i} * stride${i};
    rest /= size${i};
% endif
% endfor
    y[at] = x[from];
  }
}

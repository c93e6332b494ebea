<%doc>
y[i, j, ...] = x[i, j, ...] with indices[i, j, ...] in place of the index along AXIS.

indices and y (size0, size1, ...), `total` elements, row by row      x: stride0, ..., of the last axis 1; its size along
AXIS is limit. A negative index counts from the end, one outside the axis is clamped. One item does `chunk` elements of y,
which it walks without a division for each. Index space: (total / chunk).
Parameters: type: an unsigned integer of the element's size; index: int or long; rank; axis.
</%doc>
<%namespace name="place" file="/indexing/gather/place.mako"/>
<%
  last = rank - 1
  outer = list(range(last))
%>
kernel void ${entry}(
    global const ${type}* restrict x, global const ${index}* restrict indices, global ${type}* restrict y
% for what in ("int size", "long stride"):
% for i in range(rank):
    , ${what}${i}
% endfor
% endfor
    , int limit, long total, long chunk) {
  const long begin = get_global_id(0) * chunk;
  long left = total - begin < chunk ? total - begin : chunk;
  long rest = begin;
% for i in reversed(range(rank)):
  int i${i} = rest % size${i}; rest /= size${i};
% endfor
  global const ${index}* chosen = indices + begin;
  global ${type}* out = y + begin;
  while (left > 0) {
    const int run = left < size${last} - i${last} ? (int)left : size${last} - i${last};
    global const ${type}* from = x${"".join(" + i%d * stride%d" % (i, i) for i in outer if i != axis)};
    for (int k = 0; k < run; ++k) {
      const ${index} wanted = chosen[k];
      const int at = ${place.clamped("wanted", "limit")};
      out[k] = from[${"at" if axis == last else "i%d + k + at * stride%d" % (last, axis)}];
    }
    chosen += run;
    out += run;
    left -= run;
    i${last} = 0;
% for i in reversed(outer):
    if (++i${i} == size${i}) { i${i} = 0;
% endfor
    ${"}" * len(outer)}
  }
}

<%doc>
y[i] = table[x[i]] of bytes, in any layout. One work-item does `per_item` elements. Index space: (total / per_item).
</%doc>
kernel void ${entry}(
    global const uchar* restrict x, global const uchar* restrict table, global uchar* restrict y, long total,
    long per_item) {
  const long begin = get_global_id(0) * per_item;
  const long end = begin + per_item < total ? begin + per_item : total;
  for (long i = begin; i < end; ++i) y[i] = table[x[i]];
}

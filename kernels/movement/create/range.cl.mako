<%doc>
y[i] = start + i * delta for i in 0..total - 1, of which one item does `chunk`. Index space: (total / chunk).
Parameters: type of the elements; wide: the type that the sum is computed in.
</%doc>
kernel void ${entry}(
    global ${type}* restrict y, ${wide} start, ${wide} delta, long total, long chunk) {
  const long begin = get_global_id(0) * chunk;
  const long end = begin + min(chunk, total - begin);
  for (long i = begin; i < end; ++i) y[i] = (${type})(start + i * delta);
}

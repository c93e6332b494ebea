<%doc>
The k first elements of each line in order, and where they were, by a heap whose root is the last of those kept.

x (O, length, inner)     values, places (O, k, inner), where the heap lies while it grows; lines = O * inner
One item does `chunk` lines. Index space: (lines / chunk).
Parameters: type of the elements; largest or smallest first; is_float: there may be NaN.
</%doc>
<%namespace name="order" file="/reduce/topk/order.mako"/>
## Puts (value, place) at `hole` of a heap of `size`, or below it, so that every parent comes after its children.
void ${entry}_sift(
    global ${type}* values, global long* places, long inner, int hole, int size, ${type} value, long place) {
  for (;;) {
    int child = 2 * hole + 1;
    if (child >= size) break;
    ${type} v = values[child * inner];
    long p = places[child * inner];
    if (child + 1 < size) {
      const ${type} w = values[(child + 1) * inner];
      const long q = places[(child + 1) * inner];
      if (${order.before("v", "p", "w", "q", largest, is_float)}) { ++child; v = w; p = q; }
    }
    if (${order.before("v", "p", "value", "place", largest, is_float)}) break;
    values[hole * inner] = v;
    places[hole * inner] = p;
    hole = child;
  }
  values[hole * inner] = value;
  places[hole * inner] = place;
}

kernel void ${entry}(
    global const ${type}* restrict x, global ${type}* restrict values, global long* restrict places, int length, int k,
    int inner, int lines, int chunk) {
  const int begin = get_global_id(0) * chunk;
  const int end = begin + min(chunk, lines - begin);
  for (int line = begin; line < end; ++line) {
    const int outer = line / inner, column = line - outer * inner;
    global const ${type}* s = x + (long)outer * length * inner + column;
    global ${type}* v = values + (long)outer * k * inner + column;
    global long* p = places + (long)outer * k * inner + column;
    for (int i = 0; i < k; ++i) {
      v[(long)i * inner] = s[(long)i * inner];
      p[(long)i * inner] = i;
    }
    for (int i = k / 2 - 1; i >= 0; --i)
      ${entry}_sift(v, p, inner, i, k, v[(long)i * inner], p[(long)i * inner]);
    ${type} root = v[0];
    for (int i = k; i < length; ++i) {
      const ${type} value = s[(long)i * inner];
      // Later in the line comes later among equals, so that only a better value gets in.
% if is_float:
      if (${"value > root || (value != value && root == root)" if largest else "value < root || (root != root && value == value)"}) {
% else:
      if (value ${">" if largest else "<"} root) {
% endif
        ${entry}_sift(v, p, inner, 0, k, value, i);
        root = v[0];
      }
    }
    for (int size = k - 1; size > 0; --size) {
      const ${type} value = v[(long)size * inner];
      const long place = p[(long)size * inner];
      v[(long)size * inner] = v[0];
      p[(long)size * inner] = p[0];
      ${entry}_sift(v, p, inner, 0, size, value, place);
    }
  }
}

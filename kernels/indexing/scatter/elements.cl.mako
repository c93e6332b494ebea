<%doc>
y[i, j, ...] with indices[i, j, ...] in place of the index along one axis = combine(itself, updates[i, j, ...]).

indices, updates: the axis has `length` elements, from_stride apart; the other axes size0, ... with from_stride0, ...
y: the axis has `limit` elements, to_stride apart; the others to_stride0, ...
Updates along one line of the axis may meet: one item does `chunk` whole lines, in order. Index space: (lines / chunk).
A negative index counts from the end; an update whose index is outside is left out.
Parameters: type of the elements; index: int or long; others: axes but one; combine: an expression of a and b.
</%doc>
kernel void ${entry}(
    global const ${index}* restrict indices, global const ${type}* restrict updates, global ${type}* restrict y
% for what in ("int size", "long from_stride", "long to_stride"):
% for i in range(others):
    , ${what}${i}
% endfor
% endfor
    , int length, int limit, long from_stride, long to_stride, int lines, int chunk) {
  const int begin = get_global_id(0) * chunk;
  const int end = begin + min(chunk, lines - begin);
  for (int line = begin; line < end; ++line) {
    long from = 0, to = 0;
% if others:
    int rest = line;
% for i in reversed(range(others)):
    from += rest % size${i} * from_stride${i};
    to += rest % size${i} * to_stride${i};
    rest /= size${i};
% endfor
% endif
    for (int i = 0; i < length; ++i) {
      const long given = indices[from + i * from_stride];
      const long place = given < 0 ? given + limit : given;
      if (place < 0 || place >= limit) continue;
      global ${type}* target = y + to + place * to_stride;
      const ${type} a = *target;
      const ${type} b = updates[from + i * from_stride];
      *target = ${combine};
    }
  }
}

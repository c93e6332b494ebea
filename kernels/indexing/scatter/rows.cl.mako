<%doc>
y[i0, i1, ..., c] = combine(itself, updates[m, c]) with i = indices[m], for m = 0, 1, ... in order.

indices (count, DEPTH)     updates (count, columns)     y (size0, size1, ..., columns), rows = size0 * size1 * ...
Updates of one row may meet: one item owns row_chunk rows and column_chunk columns of y, reads all indices and does the
updates that are its own. Index space: (column items, row items).
A negative index counts from the end; an update with an index outside its axis is left out.
Parameters: type of the elements; index: int or long; depth; combine: an expression of a and b.
</%doc>
kernel void ${entry}(
    global const ${index}* restrict indices, global const ${type}* restrict updates, global ${type}* restrict y
% for i in range(depth):
    , int size${i}
% endfor
    , int count, int rows, int columns, int row_chunk, int column_chunk) {
  const int column_begin = get_global_id(0) * column_chunk;
  const int column_end = column_begin + min(column_chunk, columns - column_begin);
  const int row_begin = get_global_id(1) * row_chunk;
  const int row_end = row_begin + min(row_chunk, rows - row_begin);
  for (int m = 0; m < count; ++m) {
    global const ${index}* vector = indices + (long)m * ${depth};
    long row = 0;
    int inside = 1;
% for i in range(depth):
    {
      const long given = vector[${i}];
      const long place = given < 0 ? given + size${i} : given;
      inside &= place >= 0 && place < size${i};
      row = row * size${i} + place;
    }
% endfor
    if (!inside || row < row_begin || row >= row_end) continue;
    for (int column = column_begin; column < column_end; ++column) {
      global ${type}* target = y + row * columns + column;
      const ${type} a = *target;
      const ${type} b = updates[(long)m * columns + column];
      *target = ${combine};
    }
  }
}

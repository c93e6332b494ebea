<%doc>
Rows at indices: y[b, m, c] = x[b, i0, i1, ..., c] with i = indices[b, m] or, if shared, indices[m].

x (B, size0, size1, ..., columns)     indices (B, count, DEPTH) or (count, DEPTH)     y (B, count, columns)
stride0, ...: of the index axes, in elements of x; image: elements of x for each b. A negative index counts from the
end, one outside its axis is clamped.
One item copies row_chunk rows of y, column_chunk columns of each: (column items, row items).
Parameters: type: an unsigned integer of the element's size; index: int or long; width: vector lanes; depth; shared.
</%doc>
<%namespace name="run" file="/movement/run.mako"/>
<%namespace name="place" file="/indexing/gather/place.mako"/>
${run.vector_type(entry, type, width)}
kernel void ${entry}(
    global const ${type}* restrict x, global const ${index}* restrict indices, global ${type}* restrict y
% for what in ("int size", "long stride"):
% for i in range(depth):
    , ${what}${i}
% endfor
% endfor
    , long image, int count, int rows, int columns, int row_chunk, int column_chunk) {
  const int begin = get_global_id(0) * column_chunk;
  const int part = min(column_chunk, columns - begin);
  const int row_begin = get_global_id(1) * row_chunk;
  const int row_end = row_begin + min(row_chunk, rows - row_begin);
  for (int row = row_begin; row < row_end; ++row) {
    const int b = row / count;
    global const ${index}* vector = indices + (long)${"(row - b * count)" if shared else "row"} * ${depth};
    global const ${type}* s = x + b * image + begin;
% for i in range(depth):
    s += ${place.clamped("vector[%d]" % i, "size%d" % i)} * stride${i};
% endfor
    global ${type}* t = y + (long)row * columns + begin;
    ${run.copy(entry, width, "t", "s", "part")}
  }
}

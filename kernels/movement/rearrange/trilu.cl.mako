<%doc>
y[.., i, j] = x[.., i, j] where j - i >= k (upper) or j - i <= k (lower), else 0.

x, y (rows, columns), a matrix being `height` rows. One item does row_chunk rows, column_chunk columns of each:
(column items, row items). k: a number, or one element on the device.
Parameters: type: an unsigned integer of the element's size; width: vector lanes; upper; given: the type of k on the
device, "" if it is a number.
</%doc>
<%namespace name="run" file="/movement/run.mako"/>
${run.vector_type(entry, type, width)}
kernel void ${entry}(
    global const ${type}* restrict x, ${"global const %s* restrict" % given if given else "int"} k,
    global ${type}* restrict y, int height, int columns, int rows, int row_chunk, int column_chunk) {
  const int begin = get_global_id(0) * column_chunk;
  const int end = begin + min(column_chunk, columns - begin);
  const int row_begin = get_global_id(1) * row_chunk;
  const int row_end = row_begin + min(row_chunk, rows - row_begin);
% if given:
  const int diagonal = clamp((long)k[0], -(long)height - columns, (long)height + columns);
% else:
  const int diagonal = k;
% endif
  for (int row = row_begin; row < row_end; ++row) {
    // Columns before the cut are of the lower triangle.
    const int cut = clamp(row % height + diagonal${"" if upper else " + 1"}, begin, end);
    global const ${type}* s = x + (long)row * columns;
    global ${type}* t = y + (long)row * columns;
    const int before = cut - begin, after = end - cut;
% if upper:
    ${run.fill(entry, type, width, "(t + begin)", "0", "before")}
    ${run.copy(entry, width, "(t + cut)", "(s + cut)", "after")}
% else:
    ${run.copy(entry, width, "(t + begin)", "(s + begin)", "before")}
    ${run.fill(entry, type, width, "(t + cut)", "0", "after")}
% endif
  }
}

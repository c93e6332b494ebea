<%doc>
The first lengths[b] steps of each sequence b in reverse order, the rest as it is.

x, y (steps, batch, columns) if time_first, else (batch, steps, columns)     lengths (batch), clamped to 0..steps
One item copies row_chunk of the rows = steps * batch, column_chunk columns of each: (column items, row items).
Parameters: type: an unsigned integer of the element's size; index: int or long; width: vector lanes; time_first.
</%doc>
<%namespace name="run" file="/movement/run.mako"/>
${run.vector_type(entry, type, width)}
kernel void ${entry}(
    global const ${type}* restrict x, global const ${index}* restrict lengths, global ${type}* restrict y,
    int steps, int batch, int rows, int columns, int row_chunk, int column_chunk) {
  const int begin = get_global_id(0) * column_chunk;
  const int part = min(column_chunk, columns - begin);
  const int row_begin = get_global_id(1) * row_chunk;
  const int row_end = row_begin + min(row_chunk, rows - row_begin);
  for (int row = row_begin; row < row_end; ++row) {
% if time_first:
    const int step = row / batch, b = row - step * batch;
% else:
    const int b = row / steps, step = row - b * steps;
% endif
    const int length = clamp((long)lengths[b], 0L, (long)steps);
    const int source = step < length ? length - 1 - step : step;
    global const ${type}* s = x + (long)${"(source * batch + b)" if time_first else "(b * steps + source)"} * columns + begin;
    global ${type}* t = y + (long)row * columns + begin;
    ${run.copy(entry, width, "t", "s", "part")}
  }
}

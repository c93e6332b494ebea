<%doc>
What the strided copies share: their arguments, and the loop over planes (all axes but the last two).
  <%namespace name="loops" file="/movement/loops.mako"/>
</%doc>

<%def name="parameters(type, outer)">\
global const ${type}* restrict x, global ${type}* restrict y, long x_offset, long y_offset\
% for what in ("int size", "long x_stride", "long y_stride"):
% for i in range(outer):
, ${what}${i}\
% endfor
% endfor
, int rows, int columns, long x_row, long y_row, long x_column, long y_column, int planes,
    int plane_chunk, int row_chunk, int column_chunk\
</%def>

## The item's part of the rows and columns.
<%def name="ranges()">
  const int column_begin = get_global_id(0) * column_chunk;
  const int column_end = column_begin + min(column_chunk, columns - column_begin);
  const int row_begin = get_global_id(1) * row_chunk;
  const int row_end = row_begin + min(row_chunk, rows - row_begin);
  const int plane_begin = get_global_id(2) * plane_chunk;
  const int plane_end = plane_begin + min(plane_chunk, planes - plane_begin);
</%def>

## Where plane `plane` begins: `from` and `to`.
<%def name="plane_start(type, outer)">
    long from_offset = x_offset, to_offset = y_offset;
% if outer:
    int rest = plane;
% for i in reversed(range(outer)):
% if i:
    { const int index = rest % size${i}; rest /= size${i};
% else:
    { const int index = rest;
% endif
      from_offset += index * x_stride${i}; to_offset += index * y_stride${i}; }
% endfor
% endif
    global const ${type}* const from = x + from_offset;
    global ${type}* const to = y + to_offset;
</%def>

<%doc>
Strided copy that exchanges two axes, in tiles held in vectors, for CPUs.

y[y_offset + p . y_strides + r * y_row + c] = x[x_offset + p . x_strides + r + c * x_column]: rows are
neighbours in x, columns in y, and there are at least 8 of each. One item does plane_chunk planes, row_chunk
rows, column_chunk columns. A tile at an edge moves back so that it is full and copies some elements again.
Index space: (column items, row items, plane items). x_row and y_column are 1 and not looked at.
Parameters: type: an unsigned integer of the element's size; outer: axes in front of the last two; width: columns of a
tile, 8 or 16; there are as many. The tiles of 64 rows come one below the other, so that lines of the cache are read at once.
</%doc>
<%namespace name="exchange" file="/movement/exchange.mako"/>
<%namespace name="loops" file="/movement/loops.mako"/>
<%
  height = {"uchar": 8, "ushort": 8, "uint": 4, "ulong": 2}[type]  # rows of a tile
  together = 64  # rows
%>
${exchange.vector_types(entry, type, width, height)}
kernel void ${entry}(${loops.parameters(type, outer)}) {
  ${loops.ranges()}
  for (int plane = plane_begin; plane < plane_end; ++plane) {
    ${loops.plane_start(type, outer)}
    for (int band = row_begin; band < row_end; band += ${together}) {
      const int band_end = band + ${together} < row_end ? band + ${together} : row_end;
      for (int tile = column_begin; tile < column_end; tile += ${width}) {
        const int column = tile < columns - ${width} ? tile : columns - ${width};
        for (int tile_row = band; tile_row < band_end; tile_row += ${height}) {
          const int row = tile_row < rows - ${height} ? tile_row : rows - ${height};
${exchange.strip(entry, type, width, height, "from + row + column * x_column", "x_column", "to + row * y_row + column", "y_row")}
        }
      }
    }
  }
}

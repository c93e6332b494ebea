<%doc>
Strided copy that exchanges two axes, in tiles held in vectors, for CPUs.

y[y_offset + p . y_strides + r * y_row + c] = x[x_offset + p . x_strides + r + c * x_column]: rows are
neighbours in x, columns in y, and there are at least 8 of each. One item does plane_chunk planes, row_chunk
rows, column_chunk columns. A tile at an edge moves back so that it is full and copies some elements again.
Index space: (column items, row items, plane items). x_row and y_column are 1 and not looked at.
Parameters: type: an unsigned integer of the element's size; outer: axes in front of the last two; width: columns of a
tile, 8 or with 32 bits 16; there are as many. Tiles of 32 bits have 4 rows, others 8. Where elements are large the tiles of
64 rows come one below the other, so that lines of the cache are read at once.
</%doc>
<%namespace name="exchange" file="/movement/exchange.mako"/>
<%namespace name="run" file="/movement/run.mako"/>
<%namespace name="loops" file="/movement/loops.mako"/>
<%
  strips = type == "uint"
  height = 4 if strips else 8
  together = 64 if type in ("uint", "ulong") else 8  # rows
%>
% if strips:
${exchange.vector_types(entry, width)}
% else:
${run.vector_type(entry, type, 8)}
% endif
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
% if strips:
${exchange.strip(entry, width, "from + row + column * x_column", "x_column", "to + row * y_row + column", "y_row")}
% else:
          global const ${type}* s = from + row + column * x_column;
          global ${type}* t = to + row * y_row + column;
% for i in range(8):
          const ${entry}_v a${i} = *(global const ${entry}_v*)(s + ${i} * x_column);
% endfor
## Three rounds of interleaving rows i and i + 4 transpose the tile: each brings one bit of the row's number into
## the column's.
% for before, after in (("a", "b"), ("b", "c"), ("c", "d")):
% for i in range(4):
          const ${entry}_v ${after}${2 * i} = (${entry}_v)(${", ".join("%s%d.s%d, %s%d.s%d" % (before, i, k, before, i + 4, k) for k in range(4))});
          const ${entry}_v ${after}${2 * i + 1} = (${entry}_v)(${", ".join("%s%d.s%d, %s%d.s%d" % (before, i, k, before, i + 4, k) for k in range(4, 8))});
% endfor
% endfor
% for i in range(8):
          *(global ${entry}_v*)(t + ${i} * y_row) = d${i};
% endfor
% endif
        }
      }
    }
  }
}

<%doc>
Strided copy that exchanges two axes, for GPUs: a work-group reads 32 x 32 elements along the source's neighbours into
local memory, and writes them along the target's. Rows of the tile are padded, so that its columns lie in different
banks.

y[y_offset + p . y_strides + r * y_row + c] = x[x_offset + p . x_strides + r + c * x_column]: rows are
neighbours in x, columns in y. One group does a tile of plane_chunk planes; row_chunk and column_chunk are the
tile's edge, x_row and y_column 1; neither is looked at.
Index space: local (32, 8); groups (column tiles, row tiles, plane items).
Parameters: type: an unsigned integer of the element's size; outer: axes in front of the last two.
</%doc>
<%namespace name="loops" file="/movement/loops.mako"/>
kernel __attribute__((reqd_work_group_size(32, 8, 1))) void ${entry}(${loops.parameters(type, outer)}) {
  local ${type} tile[32 * 33];
  const int across = get_local_id(0), down = get_local_id(1);
  const int first_column = get_group_id(0) * 32, first_row = get_group_id(1) * 32;
  const int plane_begin = get_group_id(2) * plane_chunk;
  const int plane_end = plane_begin + min(plane_chunk, planes - plane_begin);
  for (int plane = plane_begin; plane < plane_end; ++plane) {
    ${loops.plane_start(type, outer)}
    for (int i = down; i < 32; i += 8)
      if (first_row + across < rows && first_column + i < columns)
        tile[i * 33 + across] = from[first_row + across + (first_column + i) * x_column];
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int i = down; i < 32; i += 8)
      if (first_row + i < rows && first_column + across < columns)
        to[(first_row + i) * y_row + first_column + across] = tile[across * 33 + i];
    barrier(CLK_LOCAL_MEM_FENCE);
  }
}

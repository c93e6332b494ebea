<%doc>
The weight gradient as a matrix product on GPUs, by tiles in local memory; no side of it is ever stored.

  dw[f, j] = sum over p of dy[p, f] * X[p, j]

p counts result pixels over all images, j input channels and window positions, (c, kh, kw), of which X holds the pixels.

x (N, group, C, H, W)   dy (N, group, F, OH, OW)   parts (splits, group, F, C, KH, KW): sums of a part of the pixels each
One work-group computes a tile.m x tile.n tile of one group's dw, from tiles of tile.k pixels that it loads into local memory, the
next while it multiplies this one. columns: of dw, C * KH * KW; step_images, step_rows, step_columns: how far a step's pixels
are from the last's.
Index space: local (tile.items); groups (column tiles, filter tiles, group * splits).

Parameters: tile; kernel, strides, dilations; pad_mode none, constant, reflect, edge, wrap; fours: whether there are a multiple
of four columns; subgroup: work-items side by side, 0 for the compiler's choice.
</%doc>
<%namespace name="product" file="/tile_product.mako"/>
<%namespace name="load" file="/conv/weight_gradient/load.mako"/>
<%!
from clconv.lowering.model.ctext import assign, set_element
from clconv.lowering.shared.tile_text import columns as columns_of
%>
<%
  a_row, b_row = tile.row_lengths(None, True, True)
%>
% if subgroup:
__attribute__((intel_reqd_sub_group_size(${subgroup})))
% endif
kernel __attribute__((reqd_work_group_size(${tile.items}, 1, 1))) void ${entry}(
    global const ${stored("x")}* restrict x, global const ${stored("dy")}* restrict dy,
    global ${stored("parts")}* restrict parts, int height, int width, int out_height, int out_width, int pad_top, int pad_left,
    int batch, int groups, int channels, int filters, int columns, int splits, int step_images, int step_rows,
    int step_columns) {
  ${product.local_tiles(tile, None, a_row, b_row)}
  const int id = get_local_id(0);
  const int plane = height * width;
  const int out_plane = out_height * out_width;
  const int pixels = batch * out_plane;
  const int first_column = get_group_id(0) * ${tile.n};
  const int first_filter = get_group_id(1) * ${tile.m};
  const int group = get_group_id(2) / splits;
  const int split = get_group_id(2) - group * splits;
  const int steps = (pixels + ${tile.k - 1}) / ${tile.k};
  const int part = (steps + splits - 1) / splits;
  const int step_begin = split * part, step_end = min(step_begin + part, steps);
  ${load.registers()}
  ${product.results(tile, None)}
  ${product.sum_steps(tile, None, a_row, b_row, load.fetch, load.keep)}
  global ${stored("parts")}* target = parts + ((size_t)split * groups + group) * filters * columns;
% for column in columns_of(tile, None):
  {
    const int j = first_column + item_column + ${column.first};
% for name, row in column.rows:
    {
      const int f = first_filter + item_row + ${row};
      const size_t at = (size_t)f * columns + j;
      if (f < filters && j + 4 <= columns) {
        ${assign("float4", "target + at", name, stored("parts"), fours)}
      }
% if not fours:
      if (f < filters && j + 4 > columns) {
## Each for itself: a loop over them would index registers, which then lie in memory.
% for lane in range(3):
        if (j + ${lane} < columns) {
          ${set_element("target", "at + %d" % lane, "%s.s%d" % (name, lane), stored("parts"))}
        }
% endfor
      }
% endif
    }
% endfor
  }
% endfor
}

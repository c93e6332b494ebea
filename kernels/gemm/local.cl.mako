<%doc>
Matrix product for GPUs, by tiles in local memory.

  y[m, n] = sum over k of a[m, k] * b[k, n]  (* alpha)  (+ c)

a       matrices of `rows` lines of K, or of K lines of rows; b: of `b_lines` >= columns lines of K, or of K lines of
        b_lines columns; a_step, b_step elements from one line to the next, b_matrix from one matrix of B to the next
y       (batch, rows, columns), row-major; if partial, sums of a part of K each: (splits, batch, rows, columns)
a_batches, b_batches: matrices of A and B for each of y           c: see gemm/finish
One work-group computes a tile.m x tile.n tile of one matrix, from tiles of tile.k inner indices that it loads into
local memory, the next while it multiplies this one.
Index space: local (tile.items); groups (column tiles, row tiles, batch * splits).

Parameters: tile; kind of the multiplication: see tile_product; a_inner, b_inner: whether the lines run along K;
a_width, b_width: elements of a load, 1 or 4, which then divides the length of a line; fours: whether there are a
multiple of four columns; batched; partial; scaled, addend, addend_columns: see gemm/finish; subgroup: work-items side
by side, 0 for the compiler's choice; epilogue.
</%doc>
<%namespace name="product" file="/tile_product.mako"/>
<%namespace name="after" file="/gemm/finish.mako"/>
<%namespace name="load" file="/gemm/load.mako"/>
<%!
from clconv.lowering.model.ctext import assign, set_element, vector_type
from clconv.lowering.shared.tile_text import columns as columns_of
%>
<%
  a_row, b_row = tile.row_lengths(kind, a_inner, b_inner)
%>
${product.functions(kind)}
% if subgroup:
__attribute__((intel_reqd_sub_group_size(${subgroup})))
% endif
kernel __attribute__((reqd_work_group_size(${tile.items}, 1, 1))) void ${entry}(
    global const ${stored("a")}* restrict a, global const ${stored("b")}* restrict b,
% if batched:
    global const int* restrict a_batches, global const int* restrict b_batches,
% endif
    global ${stored("y")}* restrict y, int rows, int inner, int columns, int a_step, int b_step, int b_lines,
    int b_matrix_size, int batch, int splits${after.parameters(scaled, addend, epilogue_names)}) {
  ${product.local_tiles(tile, kind, a_row, b_row)}
  const int id = get_local_id(0);
  const int first_b = get_group_id(0) * ${tile.n};
  const int first_a = get_group_id(1) * ${tile.m};
% if partial:
  const int index = get_group_id(2) / splits;
  const int split = get_group_id(2) - index * splits;
  const int steps = (inner + ${tile.k - 1}) / ${tile.k};
  const int part = (steps + splits - 1) / splits;
  const int step_begin = split * part, step_end = step_begin + min(part, steps - step_begin);
  global ${stored("y")}* target = y + ((size_t)split * batch + index) * rows * columns;
% else:
  const int index = get_group_id(2);
  const int step_begin = 0, step_end = (inner + ${tile.k - 1}) / ${tile.k};
  global ${stored("y")}* target = y + (size_t)index * rows * columns;
% endif
% if batched:
  global const ${stored("a")}* a_matrix = a + (size_t)a_batches[index] * rows * inner;
  global const ${stored("b")}* b_matrix = b + (size_t)b_batches[index] * b_matrix_size;
% else:
  global const ${stored("a")}* a_matrix = a;
  global const ${stored("b")}* b_matrix = b;
% endif
  ${load.registers()}
  ${product.results(tile, kind)}
  ${product.sum_steps(tile, kind, a_row, b_row, load.fetch, load.keep)}
% for column in columns_of(tile, kind):
<%
  W = column.width
  V = vector_type(W)
%>
  {
    const int n = first_b + item_column + ${column.first};
% for name, row in column.rows:
    {
      const int m = first_a + item_row + ${row};
      const size_t at = (size_t)m * columns + n;
      if (m < rows && n + ${W} <= columns) {
% if not partial:
        ${after.finish(name, V, "m", "n", "(size_t)index * rows * columns + at", scaled, addend, addend_columns, epilogue)}
% endif
        ${assign(V, "target + at", name, stored("y"), fours)}
      }
% if W > 1 and not fours:
      if (m < rows && n + ${W} > columns) {
## Each for itself: a loop over them would index registers, which then lie in memory.
% for lane in range(W - 1):
        if (n + ${lane} < columns) {
          float value = ${name}.s${lane};
% if not partial:
          ${after.finish("value", "float", "m", "(n + %d)" % lane, "(size_t)index * rows * columns + at + %d" % lane, scaled, addend, addend_columns, epilogue)}
% endif
          ${set_element("target", "at + %d" % lane, "value", stored("y"))}
        }
% endfor
      }
% endif
    }
% endfor
  }
% endfor
}

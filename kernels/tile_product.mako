<%doc>
What the products in local memory share: C[m, n] = sum over k of A[k, m] * B[k, n] for a tile of C, from tiles of
A and B that lie in local memory twice, so that one is loaded while the other is multiplied. Import with
  <%namespace name="product" file="/tile_product.mako"/>

tile: a lowering.shared.tiles.Tile; kind: None, or the lowering.shared.tiles.Matrix that multiplies. The kernel declares `id`, the
index of the work-item in its group.
</%doc>
<%namespace name="nvidia" file="/matrix_nvidia.mako"/>
<%namespace name="intel" file="/matrix_intel.mako"/>
<%namespace name="alone" file="/matrix_alone.mako"/>
<%!
from clconv.lowering.shared.tile_text import item_place, variables, word_type
%>

## What a kernel needs in front of it.
<%def name="functions(kind)">
% if kind is not None:
${(alone if kind.is_alone else intel if kind.is_intel else nvidia).functions(kind)}
% endif
</%def>

## Local memory of both tiles; a_row, b_row: words from one line to the next.
<%def name="local_tiles(tile, kind, a_row, b_row)">
  local ${word_type(kind)} a_tile[${2 * tile.lines(kind) * a_row}] __attribute__((aligned(16)));
  local ${word_type(kind)} b_tile[${2 * tile.lines(kind) * b_row}] __attribute__((aligned(16)));
% if kind is not None:
  ${(alone if kind.is_alone else intel if kind.is_intel else nvidia).memory(tile, kind)}
% endif
</%def>

## The results, zero, and where in the tile the first of them lies: item_row, item_column.
<%def name="results(tile, kind)">
% if kind is not None and not kind.is_alone:
  ${(alone if kind.is_alone else intel if kind.is_intel else nvidia).places(tile, kind)}
% else:
<%
  row, column = item_place(tile)
%>
  const int item_row = ${row}, item_column = ${column};
% endif
% for type, names in variables(tile, kind):
  ${type} ${", ".join("%s = (%s)(0)" % (name, type) for name in names)};
% endfor
</%def>

## Adds the product of the tiles in buffer `current`.
<%def name="multiply(tile, a_row, b_row)">
    local const float* a_now = a_tile + current * ${tile.k * a_row} + item_row;
    local const float* b_now = b_tile + current * ${tile.k * b_row} + item_column;
<%
  row_parts, column_parts = tile.item_m // 4, tile.item_n // 4
  depth = min(tile.depth, tile.k)
%>
    // Unrolled further, compilers read all of the tile before they multiply any of it, into registers that are not there.
    #pragma unroll 1
    for (int k = 0; k < ${tile.k}; k += ${depth}) {
% for k in range(depth):
    {
% for part in range(row_parts):
      const float4 a${part} = *(local const float4*)(a_now + ${k * a_row + part * (tile.m // row_parts)});
% endfor
% for part in range(column_parts):
      const float4 b${part} = *(local const float4*)(b_now + ${k * b_row + part * (tile.n // column_parts)});
% endfor
% for i in range(tile.item_m):
% for j in range(column_parts):
      c${i}_${j} = a${i // 4}.s${i % 4} * b${j} + c${i}_${j};
% endfor
% endfor
    }
% endfor
      a_now += ${depth * a_row};
      b_now += ${depth * b_row};
    }
</%def>

## Sums the steps step_begin..step_end of K. fetch(step) reads this item's part of a step's tiles into registers,
## keep(buffer) writes these to a buffer in local
## memory.
<%def name="sum_steps(tile, kind, a_row, b_row, fetch, keep)">
  int current = 0;
  if (step_begin < step_end) {
    ${fetch("step_begin")}
    ${keep("0", a_row, b_row)}
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  // Unrolled, a loop of few steps takes more registers than there are.
  #pragma unroll 1
  for (int step = step_begin; step < step_end; ++step) {
    if (step + 1 < step_end) {
      ${fetch("step + 1")}
    }
    ${multiply(tile, a_row, b_row) if kind is None else (alone if kind.is_alone else intel if kind.is_intel else nvidia).multiply(tile, kind, a_row, b_row)}
    current ^= 1;
    if (step + 1 < step_end) {
      ${keep("current", a_row, b_row)}
    }
    barrier(CLK_LOCAL_MEM_FENCE);
  }
% if kind is not None and kind.is_warp:
  ${nvidia.neighbours(tile, kind)}
% endif
</%def>

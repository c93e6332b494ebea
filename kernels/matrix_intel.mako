<%doc>
Products of tiles in local memory by the matrix instructions of Intel's GPUs, for tile_product. Import with
  <%namespace name="intel" file="/matrix_intel.mako"/>

A subgroup multiplies fragments: 8 rows of A by 16, and 16 by as many columns of B as it has lanes. What an item holds
is said in cl_intel_subgroup_matrix_multiply_accumulate: of A, register r holds row r at index K lane, or with 8 lanes
the pair from 2 * lane on; of B, register r holds the pair of index K from 2 * r on in column `lane`; of the results,
component r of the vector is row r in column `lane`.

kind: a lowering.shared.tiles.Matrix with 8 or 16 lanes; tile: a lowering.shared.tiles.Tile.
</%doc>
<%!
from clconv.lowering.shared.tile_text import Warps
R = range(8)
%>
## Functions that the kernel calls: the instruction, which old compilers do not declare. The tiles in local memory hold
## pairs of halves along K.
<%def name="functions(kind)">
<%
  one = kind.lanes == 16
%>
% if not kind.emulated:
#pragma OPENCL EXTENSION cl_khr_fp16 : enable
float8 __attribute__((overloadable)) intel_sub_group_f16_f16_matrix_mad_k16(${"short8" if one else "int8"} a, int8 b, float8 c);
% endif
</%def>
## Local memory that the emulation passes fragments through.
<%def name="memory(tile, kind)">
% if kind.emulated:
<%
  warps = Warps.of(tile, kind)
%>
  local int fragments[${tile.items * 8 * (warps.fragment_rows + warps.fragment_columns)}];
% endif
</%def>
## The item's lane and its subgroup's place in the tile.
<%def name="places(tile, kind)">
<%
  warps = Warps.of(tile, kind)
%>
  const int warp_lane = id % ${kind.lanes};
  const int item_row = id / ${kind.lanes * warps.across} * ${8 * warps.fragment_rows};
  const int item_column = id / ${kind.lanes} % ${warps.across} * ${kind.lanes * warps.fragment_columns} + warp_lane;
</%def>
## Declares a fragment of A from lines `line` on.
<%def name="rows_of_a(kind, line, i, a_row)">
<%
  one = kind.lanes == 16
  A = "short8" if one and not kind.emulated else "int8"
%>
      const ${A} a${i} = (${A})(
% for r in R:
<%
  at = line * a_row + 8 * i + r
%>
          ${"(short)(a_now[%d] >> a_shift)" % at if one else "a_now[%d]" % at}${"," if r < 7 else ");"}
% endfor
</%def>
<%def name="multiply(tile, kind, a_row, b_row)">
    local const uint* a_now = a_tile + current * ${tile.lines(kind) * a_row} + item_row + warp_lane${" / 2" if kind.lanes == 16 else ""} * ${a_row};
    local const uint* b_now = b_tile + current * ${tile.lines(kind) * b_row} + item_column;
% if kind.lanes == 16:
    const int a_shift = warp_lane % 2 * 16;
% endif
<%
  warps = Warps.of(tile, kind)
  I, J = range(warps.fragment_rows), range(warps.fragment_columns)
%>
% for line in range(0, tile.lines(kind), kind.k // 2):
    {
% for j in J:
      const int8 b${j} = (int8)(
% for r in R:
<%
  at = (line + r) * b_row + kind.lanes * j
%>
          b_now[${at}]${"," if r < 7 else ");"}
% endfor
% endfor
% if kind.emulated:
% for i in I:
      ${rows_of_a(kind, line, i, a_row)}
% endfor
      ${emulated(kind, I, J)}
% else:
% for i in I:
      { ${rows_of_a(kind, line, i, a_row)}
% for j in J:
        c${i}_${j} = intel_sub_group_f16_f16_matrix_mad_k16(a${i}, b${j}, c${i}_${j});
% endfor
      }
% endfor
% endif
    }
% endfor
</%def>
## The same products in plain C: the fragments of a subgroup's items lie side by side, each item sums its own results.
<%def name="emulated(kind, I, J)">
<%
  own = 8 * (len(I) + len(J))
  lane, half = ("k", "0") if kind.lanes == 16 else ("k / 2", "k % 2")
  value = lambda half, at: "vload_half(%s, (local const half*)(fragments + %s))" % (half, at)
%>
% for r in R:
% for i in I:
      fragments[id * ${own} + ${8 * i + r}] = a${i}.s${r};
% endfor
% for j in J:
      fragments[id * ${own} + ${8 * (len(I) + j) + r}] = b${j}.s${r};
% endfor
% endfor
      barrier(CLK_LOCAL_MEM_FENCE);
      for (int k = 0; k < ${kind.k}; ++k) {
        const int first = id - warp_lane;
% for j in J:
        const float g${j} = ${value("k % 2", "id * %d + %d + k / 2" % (own, 8 * (len(I) + j)))};
% endfor
% for i in I:
% for r in R:
        { const float f = ${value(half, "(first + %s) * %d + %d" % (lane, own, 8 * i + r))};
% for j in J:
          c${i}_${j}.s${r} += f * g${j};
% endfor
        }
% endfor
% endfor
      }
      barrier(CLK_LOCAL_MEM_FENCE);
</%def>

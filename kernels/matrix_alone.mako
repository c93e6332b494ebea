<%doc>
Products of tiles in local memory where an item multiplies halves for results of its own, for tile_product. Import with
  <%namespace name="alone" file="/matrix_alone.mako"/>

An item's results are those of the product in plain C. kind.k 2: an instruction adds two products to a float, AMD's
v_dot2_f32_f16; the tiles hold pairs along K. kind.k 1: arithmetic of halves, four columns side by side; what the lines of a
tile add up to is a half, and their sum a float.

kind: a lowering.choice.matrix.Matrix with one lane; tile: a lowering.shared.tiles.Tile.
</%doc>
## Functions that the kernel calls: what a row's word adds to the sums of four columns.
<%def name="functions(kind)">
% if kind.k == 2:
% if kind.emulated:
static inline float ${entry}_dot(uint a, uint b, float c) {
  const float2 f = vload_half2(0, (private const half*)&a), g = vload_half2(0, (private const half*)&b);
  return f.s0 * g.s0 + (f.s1 * g.s1 + c);
}
% else:
#pragma OPENCL EXTENSION cl_khr_fp16 : enable
static inline float ${entry}_dot(uint a, uint b, float c) {
  return __builtin_amdgcn_fdot2(as_half2(a), as_half2(b), c, false);
}
% endif
static inline float4 ${entry}_add(uint a, uint4 b, float4 c) {
  return (float4)(${", ".join("%s_dot(a, b.s%d, c.s%d)" % (entry, lane, lane) for lane in range(4))});
}
% elif kind.emulated:
static inline float4 ${entry}_add(ushort a, ushort4 b, float4 sums) {
  const float4 exact = vload_half(0, (private const half*)&a) * vload_half4(0, (private const half*)&b) + sums;
  ushort4 rounded;
  vstore_half4_rte(exact, 0, (private half*)&rounded);
  return vload_half4(0, (private const half*)&rounded);
}
% else:
#pragma OPENCL EXTENSION cl_khr_fp16 : enable
static inline half4 ${entry}_add(ushort a, ushort4 b, half4 sums) { return fma((half4)(as_half(a)), as_half4(b), sums); }
% endif
</%def>
<%def name="memory(tile, kind)"></%def>
<%def name="multiply(tile, kind, a_row, b_row)">
<%
  W = "uint" if kind.k == 2 else "ushort"
  row_parts, column_parts = tile.item_m // 4, tile.item_n // 4
  I, J = range(tile.item_m), range(column_parts)
  lines = tile.lines(kind)
  depth = min(tile.depth, lines)
  sums = "c" if kind.k == 2 else "h"
%>
    local const ${W}* a_now = a_tile + current * ${lines * a_row} + item_row;
    local const ${W}* b_now = b_tile + current * ${lines * b_row} + item_column;
% if kind.k == 1:
    ${"float4" if kind.emulated else "half4"} ${", ".join("h%d_%d = 0" % (i, j) for i in I for j in J)};
% endif
    #pragma unroll 1
    for (int line = 0; line < ${lines}; line += ${depth}) {
% for line in range(depth):
    {
% for part in range(row_parts):
      const ${W}4 a${part} = *(local const ${W}4*)(a_now + ${line * a_row + part * (tile.m // row_parts)});
% endfor
% for part in range(column_parts):
      const ${W}4 b${part} = *(local const ${W}4*)(b_now + ${line * b_row + part * (tile.n // column_parts)});
% endfor
% for i in I:
% for j in J:
      ${sums}${i}_${j} = ${entry}_add(a${i // 4}.s${i % 4}, b${j}, ${sums}${i}_${j});
% endfor
% endfor
    }
% endfor
      a_now += ${depth * a_row};
      b_now += ${depth * b_row};
    }
% if kind.k == 1:
% for i in I:
% for j in J:
    c${i}_${j} += ${"" if kind.emulated else "convert_float4"}(h${i}_${j});
% endfor
% endfor
% endif
</%def>

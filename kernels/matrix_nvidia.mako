<%doc>
Products of tiles in local memory by NVIDIA's matrix instructions, for tile_product. Import with
  <%namespace name="nvidia" file="/matrix_nvidia.mako"/>

A warp multiplies fragments: 16 rows of A by K, and K by 8 columns of B. Which of their elements an item holds is said
in the PTX ISA, "Matrix Fragments for mma.m16n8k8" and "m16n8k16": with group = lane / 4 and place = lane % 4, register r
holds, of A, row group + 8 * (r % 2) and index K place + 4 * (r / 2), two neighbours from 2 * place + 8 * (r / 2) on for
f16; of B, column group and index K place + 4 * r or 2 * place + 8 * r; of the results, rows group and group + 8,
columns 2 * place and the next. The tiles in local memory hold these registers: a line of them is one k of tf32, or a
pair of f16.

Which columns of the tile are a fragment's is free. Columns of the same number in four fragments are four neighbours, so that an
item's results are; those of even columns are 16 neighbours, of odd ones the next 16, so that four items' are. In which order
four fragments have their neighbours goes on by one from column 0 to 4, 1 to 5 and so on, and by two from even to odd ones: what
the items of a warp read together is in banks of its own then, in lines that are 8 banks apart.

kind: a lowering.shared.tiles.Matrix; tile: a lowering.shared.tiles.Tile.
</%doc>
<%namespace name="emulation" file="/matrix_emulated.mako"/>
<%!
from clconv.lowering.shared.tile_text import Warps, together

def registers(kind):
    """(those of a fragment of A, of B), 32 bits each"""
    count = kind.k // (4 if kind.type == "tf32" else 8)
    return 2 * count, count
%>
## Functions that the kernel calls: a float as a factor, as the tiles in local memory hold them; the instruction.
<%def name="functions(kind)">
<%
  a, b = registers(kind)
  A, B = ["a%d" % r for r in range(a)], ["b%d" % r for r in range(b)]
%>
% if kind.type == "tf32":
static inline uint ${entry}_factor(float x) {
  // As cvt.rna.tf32 does in five instructions, but for the low bits, which the matrix instruction does not read.
  const uint rounded = as_uint(x) + (x == x ? 0x1000 : 0);
  return rounded${" & ~0x1fffu" if kind.emulated else ""};
}
% endif
% if not kind.emulated:
% if kind.type == "f16":
// A half in a register of its own. The compiler puts those of type ushort side by side into one, as soon as they are loaded:
// the products of the step before would wait for that.
static inline uint ${entry}_word(ushort bits) {
  uint word;
  __asm__("mov.b32 %0, %1;" : "=r"(word) : "r"((uint)bits));
  return word;
}
% endif
static inline float4 ${entry}_mma(float4 c, ${", ".join("uint " + name for name in A + B)}) {
  float c0 = c.s0, c1 = c.s1, c2 = c.s2, c3 = c.s3;
  __asm__ volatile("mma.sync.aligned.m16n8k${kind.k}.row.col.f32.${kind.type}.${kind.type}.f32 {%0, %1, %2, %3}, "
      "{${", ".join("%%%d" % (4 + r) for r in range(a))}}, {${", ".join("%%%d" % (4 + a + r) for r in range(b))}}, {%0, %1, %2, %3};"
      : "+f"(c0), "+f"(c1), "+f"(c2), "+f"(c3) : ${", ".join('"r"(%s)' % name for name in A + B)});
  return (float4)(c0, c1, c2, c3);
}
% endif
</%def>
## Local memory that the emulation passes fragments through.
<%def name="memory(tile, kind)">
% if kind.emulated:
<%
  warps = Warps.of(tile, kind)
  a, b = registers(kind)
%>
  local uint fragments[${tile.items * (warps.fragment_rows * a + warps.fragment_columns * b)}];
% endif
</%def>
## The item's place in its warp and the warp's in the tile: the first of its results.
<%def name="places(tile, kind)">
<%
  warps = Warps.of(tile, kind)
%>
  const int warp_line = id % ${kind.lanes} / 4, warp_place = id % 4;
  const int item_row = id / ${kind.lanes * warps.across} * ${16 * warps.fragment_rows} + warp_line;
  const int warp_column = id / ${kind.lanes} % ${warps.across} * ${8 * warps.fragment_columns};
  const int item_column = warp_column + 4 * warp_place;
% for j in range(4):
  const int turned_${j} = (warp_line / 4 + warp_line % 2 * 2 + ${j}) % 4;
% endfor
</%def>
## Results as vectors of neighbours.
<%def name="neighbours(tile, kind)">
% for name, turn, parts in together(tile, kind):
  float4 ${name} = (float4)(${", ".join(parts)});
  ${name} = warp_place > 1 ? ${name}.${"s1230" if turn else "s3012"} : ${name}${".s2301" if turn else ""};
% endfor
</%def>
<%def name="multiply(tile, kind, a_row, b_row)">
    local const uint* a_now = a_tile + current * ${tile.lines(kind) * a_row} + warp_place * ${a_row} + item_row;
    local const uint* b_now = b_tile + current * ${tile.lines(kind) * b_row} + warp_place * ${b_row} + warp_column + warp_line % 2 * 16 + warp_line / 2 * 4;
<%
  warps = Warps.of(tile, kind)
  a, b = registers(kind)
  I, J = range(warps.fragment_rows), range(warps.fragment_columns)
%>
% for line in range(0, tile.lines(kind), kind.k // kind.pair):
    {
% for i in I:
% for r in range(a):
      const uint a${i}_${r} = a_now[${(line + r // 2 * 4) * a_row + 16 * i + 8 * (r % 2)}];
% endfor
% endfor
% for j in J:
% for r in range(b):
      const uint b${j}_${r} = b_now[turned_${j % 4} + ${(line + 4 * r) * b_row + j // 4 * 32}];
% endfor
% endfor
% if kind.emulated:
      ${emulation.products(kind, I, J, a, b)}
% else:
% for i in I:
% for j in J:
      { const float4 c = ${entry}_mma((float4)(c${i}_${j}_0, c${i}_${j}_1), ${", ".join("a%d_%d" % (i, r) for r in range(a))}, ${", ".join("b%d_%d" % (j, r) for r in range(b))});
        c${i}_${j}_0 = c.lo; c${i}_${j}_1 = c.hi; }
% endfor
% endfor
% endif
    }
% endfor
</%def>

<%doc>
Products of bytes by matrix instructions, for tiles.cl.mako, whose variables it uses. Import with
  <%namespace name="fragments" file="/quantised/bytes/fragments.mako"/>

kind: a lowering.ops.quantised.bytes.fragments.Fragments.
</%doc>
## Before a kernel: what old compilers do not declare, and, for the emulation, products of four bytes.
<%def name="functions(kind)">\
% if kind.maker == "intel" and not kind.emulated:
int8 __attribute__((overloadable)) intel_sub_group_u8_i8_matrix_mad_k32(${"short8" if kind.lanes == 16 else "int8"} a, int8 b, int8 c);
% endif
</%def>

## Local memory that the emulation passes fragments through.
<%def name="memory(kind)">
% if kind.emulated:
  local int held[128 * ${registers(kind)}];
% endif
</%def>
<%!
def registers(kind):
    """That an item has of all fragments of a step."""
    return len(kind.grid[0]) * len(kind.x_registers) + len(kind.grid[1]) * len(kind.w_registers)
%>
## The item's lane and the warp's place in the tile.
<%def name="places(kind)">
  const int lane = id % ${kind.lanes};
% if kind.maker == "nvidia":
  const int lane_row = lane / 4, lane_place = lane % 4;
% endif
  const int warp_pixel = id / ${kind.lanes * kind.across} * ${kind.part[0]};
  const int warp_filter = id / ${kind.lanes} % ${kind.across} * ${kind.part[1]};
</%def>
## Declares the sums; first: the name of what each of kind.filters begins with, before its number.
<%def name="sums(kind, first)">
<% own = len(kind.own[0]), len(kind.own[1]) %>
% for i in kind.grid[0]:
% for j in kind.grid[1]:
<% begin = ["%s%d" % (first, j * own[1] + c) for r in range(own[0]) for c in range(own[1])] %>
% if kind.maker == "nvidia":
  int ${", ".join("s%d_%d_%d = %s" % (i, j, n, text) for n, text in enumerate(begin))};
% else:
  int8 s${i}_${j} = (int8)(${", ".join(begin)});
% endif
% endfor
% endfor
</%def>
## Adds the products of the tiles `b` of pixels and `a` of filters, TILE_K lines of fours, `line` ints each.
<%def name="multiply(kind, lines, line)">
<%
  I, J = kind.grid
  X, W = kind.x_registers, kind.w_registers
  halves = kind.maker == "intel" and kind.lanes == 16
%>
% for step in range(0, lines, kind.quads):
    {
% for i in I:
% for r, (row, quad) in enumerate(X):
      const int x${i}_${r} = b[(${step} + ${quad}) * ${line} + warp_pixel + ${kind.rows * i} + ${row}]${" >> lane % 2 * 16" if halves else ""};
% endfor
% endfor
% for j in J:
% for r, (column, quad) in enumerate(W):
      const int w${j}_${r} = a[(${step} + ${quad}) * ${line} + warp_filter + ${kind.columns * j} + ${column}];
% endfor
% endfor
% if kind.emulated:
${emulated(kind)}
% else:
% for i in I:
% for j in J:
${product(kind, i, j, [", ".join("x%d_%d" % (i, r) for r in range(len(X))), ", ".join("w%d_%d" % (j, r) for r in range(len(W)))])}
% endfor
% endfor
% endif
    }
% endfor
</%def>
<%def name="product(kind, i, j, factors)">\
<%
  count = kind.rows * kind.columns // kind.lanes
  X, W = len(kind.x_registers), len(kind.w_registers)
  numbers = lambda first, n: ", ".join("%%%d" % k for k in range(first, first + n))
  inputs = ", ".join('"r"(%s)' % name for text in factors for name in text.split(", "))
%>\
% if kind.maker == "nvidia":
      __asm__ volatile("mma.sync.aligned.m${kind.rows}n${kind.columns}k${4 * kind.quads}.row.col.s32.u8.s8.s32 {${numbers(0, count)}}, "
          "{${numbers(count, X)}}, {${numbers(count + X, W)}}, {${numbers(0, count)}};"
          : ${", ".join('"+r"(s%d_%d_%d)' % (i, j, n) for n in range(count))} : ${inputs});
% elif kind.maker == "intel":
      s${i}_${j} = intel_sub_group_u8_i8_matrix_mad_k32(${"(short8)(%s)" % ", ".join("(short)" + name for name in factors[0].split(", ")) if kind.lanes == 16 else "(int8)(%s)" % factors[0]}, (int8)(${factors[1]}), s${i}_${j});
% else:
      s${i}_${j} = __builtin_amdgcn_wmma_i32_16x16x16_iu8_w32(false, (int4)(${factors[0]}), true, (int4)(${factors[1]}), s${i}_${j}, false);
% endif
</%def>
## The same products in plain C: the fragments of a warp's items lie side by side, each item sums its own results.
<%def name="emulated(kind)">
<%
  I, J = kind.grid
  X, W = len(kind.x_registers), len(kind.w_registers)
  own = registers(kind)
  halves = kind.maker == "intel" and kind.lanes == 16
%>
% for i in I:
% for r in range(X):
      held[id * ${own} + ${i * X + r}] = x${i}_${r};
% endfor
% endfor
% for j in J:
% for r in range(W):
      held[id * ${own} + ${len(I) * X + j * W + r}] = w${j}_${r};
% endfor
% endfor
      barrier(CLK_LOCAL_MEM_FENCE);
      for (int quad = 0; quad < ${kind.quads}; ++quad) {
        const int warp = id - lane;
% for i in I:
% for n, row in enumerate(kind.own[0]):
        int f${i}_${n};
        { const int at = ${row};
          const int from = (warp + ${kind.x_holder[0]}) * ${own} + ${i * X} + ${kind.x_holder[1]};
          f${i}_${n} = ${"(held[from] & 0xffff) | held[from + %d] << 16" % own if halves else "held[from]"}; }
% endfor
% endfor
% for j in J:
% for n, column in enumerate(kind.own[1]):
        int g${j}_${n};
        { const int at = ${column};
          g${j}_${n} = held[(warp + ${kind.w_holder[0]}) * ${own} + ${len(I) * X + j * W} + ${kind.w_holder[1]}]; }
% endfor
% endfor
% for i in I:
% for j in J:
% for r in range(len(kind.own[0])):
% for c in range(len(kind.own[1])):
<% s = kind.result(i, j, r * len(kind.own[1]) + c) %>\
        ${s} = byte_dot(${s}, f${i}_${r}, g${j}_${c});
% endfor
% endfor
% endfor
% endfor
      }
      barrier(CLK_LOCAL_MEM_FENCE);
</%def>

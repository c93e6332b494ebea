<%doc>
Loading the tiles of a matrix product, for gemm/local, whose parameters these read. Import with
  <%namespace name="load" file="/gemm/load.mako"/>

A load is of `width` neighbours on a line of the matrix; it is done `more` times where a word of the tile holds values
of several lines.
</%doc>
<%!
from clconv.lowering.shared.tile_text import pair_of, raw_type, read_raw, word_type, words

def sides(tile, a_inner, b_inner, a_width, b_width):
    """Of A and of B: name, lines of the tile, C text of the matrix's, whether these run along K, elements of a load."""
    return ("a", tile.m, "rows", a_inner, a_width), ("b", tile.n, "b_lines", b_inner, b_width)

def loads(tile, kind, size, along_inner, width):
    """(values along k, lines) of one load, how many times it is done, how many loads an item has."""
    k, lines = (width, 1) if along_inner else (1, width)
    more = max(pair_of(kind) // k, 1)
    return k * more, lines, more, -(-tile.k * size // (k * lines * more) // tile.items)
%>
## The registers between global and local memory.
<%def name="registers()">
% for side, size, _, along_inner, width in sides(tile, a_inner, b_inner, a_width, b_width):
<%
  more, count = loads(tile, kind, size, along_inner, width)[2:]
  raw = raw_type(kind, width)
%>
% for i in range(count):
  ${raw} ${", ".join("next_%s%d_%d = (%s)(0)" % (side, i, h, raw) for h in range(more))};
% endfor
% endfor
</%def>
## Opens a block for load i of one tile: the inner index k and the line, in the tile, of its first element.
<%def name="begin(i, size, along_inner, width)">
<%
  k_step, line_step, more, count = loads(tile, kind, size, along_inner, width)
  total = tile.k * size // (k_step * line_step)
  guard = "if (id + %d < %d) " % (i * tile.items, total) if (i + 1) * tile.items > total else ""
%>
    ${guard}{
      const int at = id + ${i * tile.items};
% if along_inner:
<%
  # 32 bytes of a line are neighbours': what else they read then lies on other lines, and is written to other banks.
  near = min(tile.k // k_step, 2 * pair_of(kind))
%>
      const int k = (at % ${near} + at / ${near * size} * ${near}) * ${k_step}, line = at / ${near} % ${size};
% else:
      const int k = at / ${size // width} * ${k_step}, line = at % ${size // width} * ${width};
% endif
</%def>
## Reads the item's part of a step into next_a<i>_<h>, next_b<i>_<h>. Lines past the last are the last once more, which
## no result that is kept reads; past the end of K there are zeros.
<%def name="fetch(step)">
    const int k0 = (${step}) * ${tile.k};
% for side, size, lines, along_inner, width in sides(tile, a_inner, b_inner, a_width, b_width):
<%
  more, count = loads(tile, kind, size, along_inner, width)[2:]
  place = "l * %s_step + k0 + k" if along_inner else "(size_t)(k0 + k + h) * %s_step + l"
%>
% for i in range(count):
    ${begin(i, size, along_inner, width)}
      const size_t l = min(first_${side} + line, ${lines} - ${1 if along_inner else width});
% for h in range(more):
      {
        const int h = ${h};
        next_${side}${i}_${h} = k0 + k + h < inner
            ? ${read_raw(kind, entry, stored(side), width, "%s_matrix + %s" % (side, place % side) + (" + h" if along_inner else ""))} : (${raw_type(kind, width)})(0);
      }
% endfor
    }
% endfor
% endfor
</%def>
## Writes the registers to a buffer in local memory; a_row, b_row: words from one line to the next.
<%def name="keep(buffer, a_row, b_row)">
% for side, size, _, along_inner, width in sides(tile, a_inner, b_inner, a_width, b_width):
<%
  pair = pair_of(kind)
  row = a_row if side == "a" else b_row
  line_step, more, count = loads(tile, kind, size, along_inner, width)[1:]
%>
% for i in range(count):
<%
  raw = ["next_%s%d_%d" % (side, i, h) for h in range(more)]
%>
    ${begin(i, size, along_inner, width)}
      local ${word_type(kind)}* to = ${side}_tile + (${buffer}) * ${tile.lines(kind) * row} + k / ${pair} * ${row} + line;
% if along_inner and width > 1:
% for word in range(width // pair):
      to[${word * row}] = ${"%s.s%d" % (raw[0], word) if pair > 1 else words(kind, entry, 1, ["%s.s%d" % (raw[0], word)])};
% endfor
% else:
      *(local ${word_type(kind, line_step)}*)to = ${words(kind, entry, line_step, raw)};
% endif
    }
% endfor
% endfor
</%def>

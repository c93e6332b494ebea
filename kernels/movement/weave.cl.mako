<%doc>
Strided copy between a few rows and their interleaving, for CPUs.

weave:    y[.. + c * WAYS + r] = x[.. + r * x_row + c]      WAYS rows of x become one of y
unravel:  y[.. + r * y_row + c] = x[.. + c * WAYS + r]      one row of x becomes WAYS of y
with the offsets and plane strides of any strided copy. One item does plane_chunk planes, column_chunk columns
and all WAYS rows. Index space: (column items, 1, plane items). The strides that are 1 or WAYS are not looked at.
Parameters: type: an unsigned integer of the element's size; outer: axes in front of the last two; kind; ways 2..4.
</%doc>
<%namespace name="run" file="/movement/run.mako"/>
<%namespace name="loops" file="/movement/loops.mako"/>
<%
  woven = [(way, lane) for lane in range(8) for way in range(ways)]
%>
${run.vector_type(entry, type, 8)}
kernel void ${entry}(${loops.parameters(type, outer)}) {
  ${loops.ranges()}
  for (int plane = plane_begin; plane < plane_end; ++plane) {
    ${loops.plane_start(type, outer)}
    int column = column_begin;
    for (; column + 8 <= column_end; column += 8) {
% if kind == "weave":
% for way in range(ways):
      const ${entry}_v a${way} = *(global const ${entry}_v*)(from + ${way} * x_row + column);
% endfor
      global ${type}* t = to + (long)column * ${ways};
% for part in range(ways):
      *(global ${entry}_v*)(t + ${part * 8}) = (${entry}_v)(${", ".join("a%d.s%d" % p for p in woven[part * 8 : part * 8 + 8])});
% endfor
% else:
      global const ${type}* s = from + (long)column * ${ways};
% for part in range(ways):
      const ${entry}_v a${part} = *(global const ${entry}_v*)(s + ${part * 8});
% endfor
% for way in range(ways):
      *(global ${entry}_v*)(to + ${way} * y_row + column) = (${entry}_v)(${", ".join("a%d.s%d" % divmod(lane * ways + way, 8) for lane in range(8))});
% endfor
% endif
    }
    for (; column < column_end; ++column)
% for way in range(ways):
% if kind == "weave":
      to[(long)column * ${ways} + ${way}] = from[${way} * x_row + column]${"," if way < ways - 1 else ";"}
% else:
      to[${way} * y_row + column] = from[(long)column * ${ways} + ${way}]${"," if way < ways - 1 else ";"}
% endif
% endfor
  }
}

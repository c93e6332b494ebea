<%doc>
Mako pieces that kernels share. Import with
  <%namespace name="common" file="/common.mako"/>
</%doc>
<%!
from clconv.lowering.model.ctext import load
from clconv.lowering.shared.epilogue import CHOICE
%>

## Parameters that an epilogue appends to a kernel's own: one pointer an operand, and which one it is of several.
<%def name="epilogue_parameters(names, several=False)">\
% for name in names:
, global const ${stored(name)}* restrict ${name}\
% endfor
% if several:
, int ${CHOICE}\
% endif
</%def>

## Applies the terms to variable `value` of type `vector` (float, float4, float8...).
## channel: C text of the first lane's channel; index: C text of the element index in the output.
## one_channel: all lanes are of that one channel, as in the plain layout. aligned: vectors lie where vectors may.
<%def name="apply_epilogue(terms, value, vector, channel, index, one_channel=False, aligned=False)">
% for term in terms:
<%
  operands = []
  for operand in term.operands:
      if operand.kind == "running":
          operands.append(value)
      elif operand.kind == "variable":
          operands.append("(%s)" % operand.text)
      elif operand.kind == "literal":
          operands.append("((%s)(%s))" % (vector, operand.text))
      elif operand.kind == "channel" and one_channel:
          operands.append("((%s)(%s[%s]))" % (vector, operand.text, channel))
      else:
          place = channel if operand.kind == "channel" else index
          operands.append(load(vector, "%s + (%s)" % (operand.text, place), stored(operand.text), aligned))
%>\
  ${value} = ${term.c_text(vector, tuple(operands))};
% endfor
</%def>

## Source index of an axis after padding: `index` may lie outside 0..size-1 and is folded back by the mode.
## Declares nothing; an expression. Zero padding ("constant") leaves it outside: the caller tests. "reflect" and "wrap"
## fold once, for padding of less than the axis and up to it; "... repeated" as often as it takes.
<%def name="padded_index(mode, index, size)">\
% if mode == "edge":
clamp(${index}, 0, ${size} - 1)\
% elif mode == "reflect":
((${index}) < 0 ? -(${index}) : ((${index}) >= ${size} ? 2 * ${size} - 2 - (${index}) : (${index})))\
% elif mode == "reflect repeated":
min(max(${index}, -(${index})) % max(2 * ${size} - 2, 1), max(2 * ${size} - 2, 1) - max(${index}, -(${index})) % max(2 * ${size} - 2, 1))\
% elif mode == "wrap repeated":
(((${index}) % ${size} + ${size}) % ${size})\
% elif mode == "wrap":
((${index}) < 0 ? (${index}) + ${size} : ((${index}) >= ${size} ? (${index}) - ${size} : (${index})))\
% else:
${index}\
% endif
</%def>

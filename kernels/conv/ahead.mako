<%doc>
Asks for what direct_tile.mako reads next: the weights of the next filters, a quarter of them in each of PARTS tiles, and in
pointwise convolutions the pixels of the next channels, which lie a whole image away: no processor looks ahead so far by itself.
Behind the last channels are the first ones of the next tile's pixels.
Uses the parameters and C variables of direct.cl.mako.
</%doc>
<%!
PARTS = 4
%>
<%def name="lines()"><%
  return -(-lanes_a_turn * vectors * block // line() // PARTS)  # of 64 bytes in a turn
%></%def>
<%def name="line()"><%
  return 32 if stored("w") == "half" else 16
%></%def>
## Before the loop over channels. Neighbouring items that have the same filters share the parts.
<%def name="start(pixels)">\
    const int part = filters_last ? first / ${pixels} : tile;
% if pointwise:
    // One quarter after another. Where more is looked up, no register is left to hold where.
    global const ${stored("w")}* next = filter + (part < ${PARTS} ? chunk_weights / ${PARTS} * (${PARTS} + part) : 0);
    const int next_step = part < ${PARTS} ? ${lines() * line()} : 0;
% else:
    const size_t ahead = part < ${PARTS} ? chunk_weights + part * ${lines() * line()} : 0;
% endif
</%def>
## In each turn of the loop over `lanes_a_turn` channels.
<%def name="turn(pixels)">\
<%
  turns = in_block // lanes_a_turn
  these = -(-pixels // turns) if pointwise and stored("x") == "float" else 0
  later = "block_index + 1 < in_blocks ? source + height * width * %d : image + (left + %d) * %d" % (in_block, pixels, in_block)
%>\
% for i in range(lines()):
            __builtin_prefetch((const void*)(size_t)(${"next" if pointwise else "tap + ahead"} + ${i * line()}), 0, 2);
% endfor
% if pointwise:
            next += next_step;
% endif
% for i in range(these):
            __builtin_prefetch((const void*)(size_t)((${later}) ${" + c * %d" % (these * in_block // lanes_a_turn) if turns > 1 else ""} + ${i * in_block}), 0, 3);
% endfor
</%def>

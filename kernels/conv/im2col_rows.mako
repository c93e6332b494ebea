<%doc>
Loading pixels of a convolution's product by whole rows of the window, padded to tap_width taps, for conv/im2col: neighbours of a
row lie side by side, so that each takes a bit of a mask and a load. Import with
  <%namespace name="rows" file="/conv/im2col_rows.mako"/>
</%doc>
<%!
from clconv.lowering.shared.tile_text import read_raw
%>
## pair: values along k that a word of the tile holds.
<%def name="columns(pair)">
  // Columns of a row of the window that lie on the image, those that this item loads from bit 0 on.
  const int first_tap = row * ${pair};
  int columns = 0;
% for j in range(tap_width):
<%
  place = "left + (first_tap + %d) * %d" % (j, dilations[1])
  inside = " && %s >= 0 && %s < width" % (place, place) if pad_mode == "constant" else ""
%>
  columns |= first_tap + ${j} < ${kernel[1]}${inside} ? ${1 << j} : 0;
% endfor
</%def>
## Reads this item's pixels of the rows from k0 on: `count` times `pair` of them, `at_once` lines apart.
<%def name="fetch(pair, count, at_once, zero)">
% for line in range(tile.k // tap_width):
        {
          const int line = k0 / ${tap_width} + ${line};
          const int c = line / ${kernel[0]};
          const int ih = top + (line - c * ${kernel[0]}) * ${dilations[0]};
          const int taken = valid && line < ${channels * kernel[0]}${" && ih >= 0 && ih < height" if pad_mode == "constant" else ""} ? columns : 0;
          global const ${stored("x")}* source = image + (size_t)c * plane + ih * width + left + first_tap * ${dilations[1]};
% for i in range(count):
% for h in range(pair):
<%
  k = i * at_once * pair + h
%>
% if k // tap_width == line:
          next_b${i}_${h} = taken & ${1 << k % tap_width} ? ${read_raw(kind, entry, stored("x"), 1, "source + %d" % (k % tap_width * dilations[1]))} : ${zero};
% endif
% endfor
% endfor
        }
% endfor
</%def>

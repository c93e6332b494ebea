<%doc>
Loading the tiles of a weight gradient's product, for weight_gradient/product, whose parameters these read. Import with
  <%namespace name="load" file="/conv/weight_gradient/load.mako"/>

An item loads values of one pixel of each step: of some filters, and of the image under some taps.
</%doc>
<%namespace name="common" file="/common.mako"/>
<%!
from clconv.lowering.model.ctext import element

def loads(tile, size):
    """How many values an item loads of a side with so many lines, and lines that all items load at once."""
    at_once = tile.items // tile.k
    return size // at_once, at_once
%>\
## The registers between global and local memory, and where this item's lines lie.
<%def name="registers()">
<%
  a_count, at_once = loads(tile, tile.m)
  b_count, taps = loads(tile, tile.n)[0], kernel[0] * kernel[1]
%>
  const int k = id % ${tile.k}, line = id / ${tile.k};
% for i in range(a_count):
  float next_a${i} = 0;
  const int filter${i} = min(first_filter + line + ${i * at_once}, filters - 1);
% endfor
% for i in range(b_count):
  float next_b${i} = 0;
  int channel${i} = min(first_column + line + ${i * at_once}, columns - 1);
% if taps > 1:
  const short down${i} = channel${i} / ${kernel[1]} % ${kernel[0]} * ${dilations[0]} - pad_top;
  const short across${i} = channel${i} % ${kernel[1]} * ${dilations[1]} - pad_left;
  channel${i} /= ${taps};
% endif
% endfor
</%def>
## Reads this item's part of a step. Lines past the last are the last once more, which no result that is kept reads; past the
## last pixel there are zeros.
<%def name="fetch(step)">
    {
      const int pixel = (${step}) * ${tile.k} + k;
      const int valid = pixel < pixels;
      const int n = pixel / out_plane;
      const int within = pixel - n * out_plane;
      const int oh = within / out_width;
      const int top = oh * ${strides[0]}, left = (within - oh * out_width) * ${strides[1]};
      const size_t from = ((size_t)n * groups + group) * filters * out_plane + within;
      const size_t image = ((size_t)n * groups + group) * channels * plane;
% for i in range(loads(tile, tile.m)[0]):
      next_a${i} = valid ? ${element("dy", "from + (size_t)filter%d * out_plane" % i, stored("dy"))} : 0;
% endfor
% for i in range(loads(tile, tile.n)[0]):
      {
% if kernel[0] * kernel[1] > 1:
        int ih = top + down${i}, iw = left + across${i};
% else:
        int ih = top - pad_top, iw = left - pad_left;
% endif
% if pad_mode == "constant":
        const int inside = valid && ih >= 0 && ih < height && iw >= 0 && iw < width;
% else:
        const int inside = valid;
% if pad_mode != "none":
        ih = ${common.padded_index(pad_mode, "ih", "height")};
        iw = ${common.padded_index(pad_mode, "iw", "width")};
% endif
% endif
        next_b${i} = inside ? ${element("x", "image + (size_t)channel%d * plane + ih * width + iw" % i, stored("x"))} : 0;
      }
% endfor
    }
</%def>
## Writes the registers to a buffer in local memory; a_row, b_row: floats from one line to the next.
<%def name="keep(buffer, a_row, b_row)">
% for side, size, row in (("a", tile.m, a_row), ("b", tile.n, b_row)):
<%
  count, at_once = loads(tile, size)
%>
% for i in range(count):
    ${side}_tile[(${buffer}) * ${tile.k * row} + k * ${row} + line + ${i * at_once}] = next_${side}${i};
% endfor
% endfor
</%def>

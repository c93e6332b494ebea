<%doc>
Loading the tiles of a weight gradient's product, for weight_gradient/product, whose parameters these read. Import with
  <%namespace name="load" file="/conv/weight_gradient/load.mako"/>

An item loads values of one pixel of each step: of some filters, and of the image under some taps. Where each lies from the
pixel on does not change, so that a load takes an addition; nor does the pixel have to be divided anew for each step.
</%doc>
<%namespace name="common" file="/common.mako"/>
<%!
from clconv.lowering.model.ctext import element

def loads(tile, size):
    """How many values an item loads of a side with so many lines, and lines that all items load at once."""
    at_once = tile.items // tile.k
    return size // at_once, at_once

def how(pad_mode, kernel):
    """"inside" if no tap leaves the image, "bits" if a word tells which rows and columns of a window do, else "each"."""
    if pad_mode == "none":
        return "inside"
    return "bits" if pad_mode == "constant" and sum(kernel) <= 32 else "each"
%>\
## The registers between global and local memory, where this item's lines lie, and its first pixel: number n, oh, ow.
<%def name="registers()">
<%
  a_count, at_once = loads(tile, tile.m)
  b_count, taps = loads(tile, tile.n)[0], kernel[0] * kernel[1]
  way = how(pad_mode, kernel)
%>
  const int k = id % ${tile.k}, line = id / ${tile.k};
  const int first_pixel = step_begin * ${tile.k} + k;
  int n = first_pixel / out_plane;
  int oh = (first_pixel - n * out_plane) / out_width;
  int ow = first_pixel - n * out_plane - oh * out_width;
% for i in range(a_count):
  float next_a${i} = 0;
  const int a_at${i} = min(first_filter + line + ${i * at_once}, filters - 1) * out_plane;
% endfor
% for i in range(b_count):
  float next_b${i} = 0;
  int b_at${i} = min(first_column + line + ${i * at_once}, columns - 1);
% if way == "bits":
  uint b_tap${i};
% elif way == "each":
  short down${i}, across${i};
% endif
  {
    const int channel = b_at${i} / ${taps}, tap = b_at${i} - channel * ${taps};
    const int kh = tap / ${kernel[1]}, kw = tap - kh * ${kernel[1]};
    const int down = kh * ${dilations[0]} - pad_top, across = kw * ${dilations[1]} - pad_left;
% if way == "each":
    b_at${i} = channel * plane;
    down${i} = down;
    across${i} = across;
% else:
    b_at${i} = channel * plane + down * width + across;
% endif
% if way == "bits":
    b_tap${i} = (1u << kh) | (1u << (${kernel[0]} + kw));
% endif
  }
% endfor
</%def>
## Reads this item's part of the next step. Lines past the last are the last once more, which no result that is kept reads; past
## the last pixel there are zeros.
<%def name="fetch(step)">
<%
  way = how(pad_mode, kernel)
%>
    {
      const int valid = n < batch;
      const uint image = n * groups + group;
      const int top = oh * ${strides[0]}, left = ow * ${strides[1]};
      global const ${stored("dy")}* dy_from = dy + (image * filters * out_plane + oh * out_width + ow);
      global const ${stored("x")}* x_from = x + (image * channels * plane${" + top * width + left" if way != "each" else ""});
% for i in range(loads(tile, tile.m)[0]):
      next_a${i} = valid ? ${element("dy_from", "a_at%d" % i, stored("dy"))} : 0;
% endfor
% if way == "bits":
      uint outside = valid ? 0 : ~0u;
% for kh in range(kernel[0]):
      outside |= (uint)(top + ${kh * dilations[0]} - pad_top) < (uint)height ? 0 : ${1 << kh}u;
% endfor
% for kw in range(kernel[1]):
      outside |= (uint)(left + ${kw * dilations[1]} - pad_left) < (uint)width ? 0 : ${1 << kernel[0] + kw}u;
% endfor
% endif
% for i in range(loads(tile, tile.n)[0]):
% if way == "inside":
      next_b${i} = valid ? ${element("x_from", "b_at%d" % i, stored("x"))} : 0;
% elif way == "bits":
      next_b${i} = (outside & b_tap${i}) == 0 ? ${element("x_from", "b_at%d" % i, stored("x"))} : 0;
% else:
      {
        int ih = top + down${i}, iw = left + across${i};
% if pad_mode == "constant":
        const int inside = valid && ih >= 0 && ih < height && iw >= 0 && iw < width;
% else:
        const int inside = valid;
        ih = ${common.padded_index(pad_mode, "ih", "height")};
        iw = ${common.padded_index(pad_mode, "iw", "width")};
% endif
        next_b${i} = inside ? ${element("x_from", "b_at%d + ih * width + iw" % i, stored("x"))} : 0;
      }
% endif
% endfor
      ow += step_columns;
      oh += step_rows + (ow >= out_width);
      ow -= ow >= out_width ? out_width : 0;
      n += step_images + (oh >= out_height);
      oh -= oh >= out_height ? out_height : 0;
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

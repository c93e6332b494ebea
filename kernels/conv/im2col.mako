<%doc>
Loading the tiles of a convolution's product, for conv/implicit_gemm, whose parameters these read. Import with
  <%namespace name="im2col" file="/conv/im2col.mako"/>
</%doc>
<%namespace name="common" file="/common.mako"/>
<%!
from clconv.lowering.ctext import element

def loads(tile):
    """(loads of four weights that an item does, how many items do one more)"""
    return divmod(tile.k * tile.m // 4, tile.items)

def guard(tile, i):
    whole, spare = loads(tile)
    return "if (id + %d < %d) " % (i * tile.items, tile.k * tile.m // 4) if i == whole else ""
%>
## What of the tiles this item loads: the registers for it, its one column of the im2col tile, and the row that it
## begins with.
<%def name="share()">
% for i in range(loads(tile)[0] + (loads(tile)[1] > 0)):
  float4 next_a${i} = (float4)(0);
% endfor
  float ${", ".join("next_b%d = 0" % i for i in range(tile.k * tile.n // tile.items))};
  const int column = id % ${tile.n}, row = id / ${tile.n};
  const int pixel = first_pixel + column;
  const int valid = pixel < pixels;
  const int n = pixel / out_plane;
  const int oh = (pixel - n * out_plane) / out_width;
  const int ow = pixel - n * out_plane - oh * out_width;
  const int top = oh * ${strides[0]} - pad_top, left = ow * ${strides[1]} - pad_left;
  global const ${stored("x")}* image = x + ((size_t)n * groups + group) * ${channels} * plane;
</%def>
## From ih and iw: `inside`, and both mapped back into the image by the padding mode.
<%def name="source_pixel()">
% if pad_mode == "constant":
      const int inside = valid && ih >= 0 && ih < height && iw >= 0 && iw < width;
% else:
      const int inside = valid;
% if pad_mode != "none":
      ih = ${common.padded_index(pad_mode, "ih", "height")};
      iw = ${common.padded_index(pad_mode, "iw", "width")};
% endif
% endif
</%def>
## Reads this item's share of tile `step` into registers next_a and next_b.
<%def name="fetch(step)">
<%
  KH, KW = kernel
  DH, DW = dilations
  K = channels * KH * KW
  padded_filters = -(-filters // tile.m) * tile.m
  b_rows = tile.items // tile.n
  b_loads = tile.k // b_rows
%>
    {
      const int k0 = (${step}) * ${tile.k};
% for i in range(loads(tile)[0] + (loads(tile)[1] > 0)):
      ${guard(tile, i)}{
        const int at = id + ${i * tile.items};
        const int k = k0 + at / ${tile.m // 4};
        next_a${i} = ${"k < %d ? " % K if K % tile.k else ""}${"read_half4" if stored("w") == "half" else "*(global const float4*)"}(w + ((size_t)group * ${K} + k) * ${padded_filters}
            + first_filter + at % ${tile.m // 4} * 4)${" : (float4)(0)" if K % tile.k else ""};
      }
% endfor
% if taps_outer:
      const int tap = k0 / ${channels};
      const int kh = tap / ${KW}, kw = tap - kh * ${KW};
      int ih = top + kh * ${DH}, iw = left + kw * ${DW};
      ${source_pixel()}
      global const ${stored("x")}* source = image + (size_t)(k0 - tap * ${channels} + row) * plane + ih * width + iw;
% for i in range(b_loads):
      next_b${i} = inside ? ${element("source", "(size_t)%d * plane" % (i * b_rows), stored("x"))} : 0;
% endfor
% else:
% for i in range(b_loads):
      {
        const int k = k0 + row + ${i * b_rows};
        const int c = k / ${KH * KW};
        const int tap = k - c * ${KH * KW};
        const int kh = tap / ${KW}, kw = tap - kh * ${KW};
        int ih = top + kh * ${DH}, iw = left + kw * ${DW};
        ${source_pixel()}
        next_b${i} = inside && k < ${K} ? ${element("image", "(size_t)c * plane + ih * width + iw", stored("x"))} : 0;
      }
% endfor
% endif
    }
</%def>
## Writes the registers to a buffer in local memory; a_row, b_row: floats from one k to the next.
<%def name="keep(buffer, a_row, b_row)">
% for i in range(loads(tile)[0] + (loads(tile)[1] > 0)):
    ${guard(tile, i)}{
      const int at = id + ${i * tile.items};
      *(local float4*)(a_tile + (${buffer}) * ${tile.k * a_row} + at / ${tile.m // 4} * ${a_row} + at % ${tile.m // 4} * 4) = next_a${i};
    }
% endfor
% for i in range(tile.k * tile.n // tile.items):
    b_tile[(${buffer}) * ${tile.k * b_row} + (row + ${i * (tile.items // tile.n)}) * ${b_row} + column] = next_b${i};
% endfor
</%def>

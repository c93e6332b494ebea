<%doc>
Loading the tiles of a convolution's product, for conv/implicit_gemm, whose parameters these read. Import with
  <%namespace name="im2col" file="/conv/im2col.mako"/>

A load of A is of four filters, one of B of `pixel_width` pixels; each is done for the `pair` values along k that a word of
the tile holds.
</%doc>
<%namespace name="common" file="/common.mako"/>
<%namespace name="rows" file="/conv/im2col_rows.mako"/>
<%!
from clconv.lowering.shared.tile_text import pair_of, raw_type, read_raw, word_type, words

def a_loads(tile, kind):
    """Loads of four weights that an item does; some do the last of them, if they are not alike."""
    return -(-tile.lines(kind) * tile.m // 4 // tile.items)

def a_guard(tile, kind, i):
    total = tile.lines(kind) * tile.m // 4
    return "if (id + %d < %d) " % (i * tile.items, total) if (i + 1) * tile.items > total else ""

def b_loads(tile, kind, pixel_width):
    """(loads of pixels that an item does, lines of the tile that all items load at once)"""
    at_once = tile.items // (tile.n // pixel_width)
    return -(-tile.lines(kind) // at_once), at_once

def b_guard(tile, kind, pixel_width):
    """For what does not go through: some items then have no line."""
    return "if (row < %d) " % tile.lines(kind) if b_loads(tile, kind, pixel_width)[1] > tile.lines(kind) else ""
%>
## What of the tiles this item loads: the registers for it, its columns of the im2col tile, and the line that it
## begins with.
<%def name="registers()">
<%
  pair = range(pair_of(kind))
  A, B = raw_type(kind, 4), raw_type(kind, pixel_width)
%>
% for i in range(a_loads(tile, kind)):
  ${A} ${", ".join("next_a%d_%d = (%s)(0)" % (i, h, A) for h in pair)};
% endfor
% for i in range(b_loads(tile, kind, pixel_width)[0]):
  ${B} ${", ".join("next_b%d_%d = (%s)(0)" % (i, h, B) for h in pair)};
% endfor
  const int column = id % ${tile.n // pixel_width}${" * %d" % pixel_width if pixel_width > 1 else ""}, row = id / ${tile.n // pixel_width};
  const int pixel = first_pixel + column;
  const int valid = pixel < pixels;
  const int n = pixel / out_plane;
  const int oh = (pixel - n * out_plane) / out_width;
  const int ow = pixel - n * out_plane - oh * out_width;
  const int top = oh * ${strides[0]} - pad_top, left = ow * ${strides[1]} - pad_left;
  global const ${stored("x")}* image = x + ((size_t)n * groups + group) * ${channels} * plane;
% if tap_width:
${rows.columns(len(pair))}
% endif
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
## Reads this item's part of tile `step` into registers next_a and next_b.
<%def name="fetch(step)">
<%
  KH, KW = kernel
  DH, DW = dilations
  K = channels * KH * (tap_width or KW)
  padded_filters = -(-filters // tile.m) * tile.m
  pair = pair_of(kind)
  count, at_once = b_loads(tile, kind, pixel_width)
  ragged = K % tile.k != 0
  zero_a, zero_b = "(%s)(0)" % raw_type(kind, 4), "(%s)(0)" % raw_type(kind, pixel_width)
%>
    {
      const int k0 = (${step}) * ${tile.k};
% for i in range(a_loads(tile, kind)):
      ${a_guard(tile, kind, i)}{
        const int at = id + ${i * tile.items};
        const int k = k0 + at / ${tile.m // 4} * ${pair};
        global const ${stored("w")}* source = w + ((size_t)group * ${K} + k) * ${padded_filters} + first_filter + at % ${tile.m // 4} * 4;
% for h in range(pair):
        next_a${i}_${h} = ${"k + %d < %d ? " % (h, K) if ragged else ""}${read_raw(kind, entry, stored("w"), 4, "source + %d" % (h * padded_filters))}${" : " + zero_a if ragged else ""};
% endfor
      }
% endfor
% if KH * KW == 1 or channel_block > 1:
% if KH * KW == 1:
      const int c0 = k0 + row * ${pair};
      int ih = top, iw = left;
% else:
      const int block = (${step}) / ${KH * KW}, tap = (${step}) - block * ${KH * KW};
      const int kh = tap / ${KW}, kw = tap - kh * ${KW};
      const int c0 = block * ${channel_block} + row * ${pair};
      int ih = top + kh * ${DH}, iw = left + kw * ${DW};
% endif
      ${source_pixel()}
      global const ${stored("x")}* source = image + (size_t)c0 * plane + ih * width + iw;
      ${b_guard(tile, kind, pixel_width)}{
% for i in range(count):
% for h in range(pair):
<%
  c = i * at_once * pair + h
%>
        next_b${i}_${h} = inside${" && c0 + %d < %d" % (c, K) if ragged else ""} ? ${read_raw(kind, entry, stored("x"), pixel_width, "source + (size_t)%d * plane" % c)} : ${zero_b};
% endfor
% endfor
      }
% elif tap_width:
      ${b_guard(tile, kind, pixel_width)}{ ${rows.fetch(pair, count, at_once, zero_b)} }
% else:
% for i in range(count):
% for h in range(pair):
      ${b_guard(tile, kind, pixel_width)}{
        const int k = k0 + (row + ${i * at_once}) * ${pair} + ${h};
        const int c = k / ${KH * KW};
        const int tap = k - c * ${KH * KW};
        const int kh = tap / ${KW}, kw = tap - kh * ${KW};
        int ih = top + kh * ${DH}, iw = left + kw * ${DW};
        ${source_pixel()}
        next_b${i}_${h} = inside && k < ${K} ? ${read_raw(kind, entry, stored("x"), 1, "image + (size_t)c * plane + ih * width + iw")} : ${zero_b};
      }
% endfor
% endfor
% endif
    }
</%def>
## Writes the registers to a buffer in local memory; a_row, b_row: words from one line to the next.
<%def name="keep(buffer, a_row, b_row)">
<%
  pair = range(pair_of(kind))
  lines = tile.lines(kind)
  count, at_once = b_loads(tile, kind, pixel_width)
%>
% for i in range(a_loads(tile, kind)):
    ${a_guard(tile, kind, i)}{
      const int at = id + ${i * tile.items};
      *(local ${word_type(kind, 4)}*)(a_tile + (${buffer}) * ${lines * a_row} + at / ${tile.m // 4} * ${a_row} + at % ${tile.m // 4} * 4) = ${words(kind, entry, 4, ["next_a%d_%d" % (i, h) for h in pair])};
    }
% endfor
    ${b_guard(tile, kind, pixel_width)}{
% for i in range(count):
      *(local ${word_type(kind, pixel_width)}*)(b_tile + (${buffer}) * ${lines * b_row} + (row + ${i * at_once}) * ${b_row} + column) = ${words(kind, entry, pixel_width, ["next_b%d_%d" % (i, h) for h in pair])};
% endfor
    }
</%def>

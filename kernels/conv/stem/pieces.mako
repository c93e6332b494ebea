<%doc>
What the kernels of first layers share: the places of a work-item, the copy of the pixels under a tile, and storing results. Uses
the parameters and C variables of conv/stem/local and conv/stem/halves.
</%doc>
<%namespace name="common" file="/common.mako"/>
<%!
from clconv.lowering.model.ctext import assign, element, vector_type
%>
<%def name="parameters()">\
    global ${stored("y")}* restrict y, int height, int width, int out_height, int out_width, int pad_top,
    int pad_left${common.epilogue_parameters(epilogue_names)}\
</%def>
## Its filters begin with `lane` * 4, its pixels with `column` of row `row` of the tile.
<%def name="places()">
<%
  lanes, columns = tile.filters // tile.item_filters, tile.width // tile.pixels
%>
  const int id = get_local_id(0);
  const int across = (out_width + ${tile.width - 1}) / ${tile.width};
  const int down = (out_height + ${tile.rows - 1}) / ${tile.rows};
  const int tile_row = (int)get_group_id(0) / across;
  const int first_column = ((int)get_group_id(0) - tile_row * across) * ${tile.width};
  const int n = tile_row / down;
  const int first_row = (tile_row - n * down) * ${tile.rows};
  const int first_filter = get_group_id(1) * ${tile.filters};
  const int top = first_row * ${strides[0]} - pad_top, left = first_column * ${strides[1]} - pad_left;
  const int lane = id % ${lanes};
  const int column = id / ${lanes} % ${columns} * ${tile.pixels};
  const int row = id / ${lanes * columns};
</%def>
## Before a loop in which the items of a group take `count` elements: compilers warn of one with few turns.
<%def name="unrolled(count)">\
% if count >= 8 * tile.items:
    #pragma unroll 4\
% endif
</%def>
## Channel c of the pixels under the tile into local memory, `type` each, as C text `read(place)` reads them.
<%def name="copied(type, read)">
    global const ${stored("x")}* image = x + ((size_t)n * ${channels} + c) * (height * width);
${unrolled(((tile.rows - 1) * strides[0] + (kernel[0] - 1) * dilations[0] + 1) * pitch)}
    for (int i = id; i < ${((tile.rows - 1) * strides[0] + (kernel[0] - 1) * dilations[0] + 1) * pitch}; i += ${tile.items}) {
      const int line = i / ${pitch};
      int ih = top + line, iw = left + i - line * ${pitch};
% if pad_mode == "constant":
      const int inside = (uint)ih < (uint)height && (uint)iw < (uint)width;
% elif pad_mode != "none":
      ih = ${common.padded_index(pad_mode, "ih", "height")};
      iw = ${common.padded_index(pad_mode, "iw", "width")};
% endif
      ih = min((uint)ih, (uint)height - 1);
      iw = min((uint)iw, (uint)width - 1);
      const ${type} pixel = ${read("ih * width + iw")};
      pixels[i] = ${"inside ? pixel : (%s)0" % type if pad_mode == "constant" else "pixel"};
    }
</%def>
## Stores the results, `value(f, p)` as C text.
<%def name="results(value)">
<%
  apart = tile.filters // (tile.item_filters // 4)
  V = vector_type(store)
%>
  const int oh = first_row + row, ow = first_column + column;
  if (oh >= out_height) return;
% for f in range(tile.item_filters):
  {
    const int channel = first_filter + lane * 4 + ${f // 4 * apart + f % 4};
    if (channel < ${filters}) {
      const float offset = ${element("bias", "channel", stored("bias")) if bias else "0"};
      const size_t line = (((size_t)n * ${filters} + channel) * out_height + oh) * out_width + ow;
% for p in range(0, tile.pixels, store):
      if (ow + ${p} < out_width) {
        ${V} value = (${V})(${", ".join(value(f, p + i) for i in range(store))}) + offset;
        const size_t at = line + ${p};
        ${common.apply_epilogue(epilogue, "value", V, "channel", "at", one_channel=True, aligned=True)}
        ${assign(V, "y + at", "value", stored("y"), True)}
      }
% endfor
    }
  }
% endfor
</%def>

<%doc>
Convolution of few channels for GPUs, such as the first layer of a network: a work-group copies the pixels under its tile of
results into local memory, each once, and slides the window over them from there.

  y[n, f, oh, ow] = bias[f] + sum over c, kh, kw of w[c, kh, kw, f] * x[n, c, oh * S - P + kh * D, ...]

x (N, C, H, W)    w (C, KH, KW, F padded to tile.filters)    bias (F)    y (N, F, OH, OW)
A work-group computes tile.filters filters of tile.rows x tile.width pixels, channel by channel; an item tile.item_filters of
them, four side by side and four again further on, of tile.pixels neighbours of a row. A row of the window takes each of the pixels
under the item's results from local memory once, whatever the number of its taps. Items side by side take other filters of the same
pixels, then other pixels: an odd `pitch` has these in different banks.
Index space: local (tile.items, 1, 1); groups (pixel tiles of all images, filter tiles).

Parameters: tile; channels; filters; pitch: floats of a row of the copy; kernel, strides, dilations: (height, width); pad_mode none,
constant, reflect, edge, wrap; store: pixels of a store, of which tile.pixels and the rows of y are multiples; bias; epilogue.
</%doc>
<%namespace name="common" file="/common.mako"/>
<%!
from clconv.lowering.model.ctext import assign, element, load, vector_type
%>
<%
  KH, KW = kernel
  SH, SW = strides
  DH, DW = dilations
  P, TM = tile.pixels, tile.filters
  lanes, across = TM // tile.item_filters, tile.width // P
  quads, apart = tile.item_filters // 4, TM // (tile.item_filters // 4)
  lines = (tile.rows - 1) * SH + (KH - 1) * DH + 1
  reach = (P - 1) * SW + (KW - 1) * DW + 1
  used = sorted({p * SW + kw * DW for p in range(P) for kw in range(KW)})
  padded_filters = -(-filters // TM) * TM
  vectors = KH * KW * TM // 4
  V = vector_type(store)
%>
kernel __attribute__((reqd_work_group_size(${tile.items}, 1, 1))) void ${entry}(
    global const ${stored("x")}* restrict x, global const ${stored("w")}* restrict w,
% if bias:
    global const ${stored("bias")}* restrict bias,
% endif
    global ${stored("y")}* restrict y, int height, int width, int out_height, int out_width, int pad_top,
    int pad_left${common.epilogue_parameters(epilogue_names)}) {
  local float4 weights[${vectors}];
  local float pixels[${lines * pitch}];
  const int id = get_local_id(0);
  const int across = (out_width + ${tile.width - 1}) / ${tile.width};
  const int down = (out_height + ${tile.rows - 1}) / ${tile.rows};
  const int tile_row = (int)get_group_id(0) / across;
  const int first_column = ((int)get_group_id(0) - tile_row * across) * ${tile.width};
  const int n = tile_row / down;
  const int first_row = (tile_row - n * down) * ${tile.rows};
  const int first_filter = get_group_id(1) * ${TM};
  const int top = first_row * ${SH} - pad_top, left = first_column * ${SW} - pad_left;
  const int lane = id % ${lanes};
  const int column = id / ${lanes} % ${across} * ${P};
  const int row = id / ${lanes * across};
% for f in range(tile.item_filters):
  float ${", ".join("a%d_%d = 0" % (f, p) for p in range(P))};
% endfor
  #pragma unroll 1
  for (int c = 0; c < ${channels}; ++c) {
    barrier(CLK_LOCAL_MEM_FENCE);
    global const ${stored("w")}* filter = w + c * ${KH * KW * padded_filters} + first_filter;
    #pragma unroll 4
    for (int i = id; i < ${vectors}; i += ${tile.items})
      weights[i] = ${load("float4", "filter + i / %d * %d + i %% %d * 4" % (TM // 4, padded_filters, TM // 4), stored("w"), True)};
    global const ${stored("x")}* image = x + ((size_t)n * ${channels} + c) * (height * width);
    #pragma unroll 4
    for (int i = id; i < ${lines * pitch}; i += ${tile.items}) {
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
      const float pixel = ${element("image", "ih * width + iw", stored("x"))};
      pixels[i] = ${"inside ? pixel : 0" if pad_mode == "constant" else "pixel"};
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    local const float* source = pixels + row * ${SH * pitch} + column * ${SW};
    local const float4* taps = weights + lane;
    #pragma unroll 1
    for (int kh = 0; kh < ${KH}; ++kh) {
% for place in used:
      const float x${place} = source[${place}];
% endfor
% for kw in range(KW):
      {
% for q in range(quads):
        const float4 w${q} = taps[${(kw * TM + q * apart) // 4}];
% endfor
% for f in range(tile.item_filters):
% for p in range(P):
        a${f}_${p} += w${f // 4}.s${f % 4} * x${p * SW + kw * DW};
% endfor
% endfor
      }
% endfor
      source += ${DH * pitch};
      taps += ${KW * TM // 4};
    }
  }
  const int oh = first_row + row, ow = first_column + column;
  if (oh >= out_height) return;
% for f in range(tile.item_filters):
  {
    const int channel = first_filter + lane * 4 + ${f // 4 * apart + f % 4};
    if (channel < ${filters}) {
      const float offset = ${element("bias", "channel", stored("bias")) if bias else "0"};
      const size_t line = (((size_t)n * ${filters} + channel) * out_height + oh) * out_width + ow;
% for p in range(0, P, store):
      if (ow + ${p} < out_width) {
        ${V} value = (${V})(${", ".join("a%d_%d" % (f, p + i) for i in range(store))}) + offset;
        const size_t at = line + ${p};
        ${common.apply_epilogue(epilogue, "value", V, "channel", "at", one_channel=True, aligned=True)}
        ${assign(V, "y + at", "value", stored("y"), True)}
      }
% endfor
    }
  }
% endfor
}

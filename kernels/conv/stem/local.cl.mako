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
constant, reflect, edge, wrap; store: pixels of a store, of which tile.pixels and the rows of y are multiples; subgroup: work-items side
by side, 0 for the compiler's choice; bias; epilogue.
</%doc>
<%namespace name="pieces" file="/conv/stem/pieces.mako"/>
<%!
from clconv.lowering.model.ctext import element, load
%>
<%
  KH, KW = kernel
  SH, SW = strides
  DH, DW = dilations
  P, TM = tile.pixels, tile.filters
  quads, apart = tile.item_filters // 4, TM // (tile.item_filters // 4)
  lines = (tile.rows - 1) * SH + (KH - 1) * DH + 1
  used = sorted({p * SW + kw * DW for p in range(P) for kw in range(KW)})
  padded_filters = -(-filters // TM) * TM
  vectors = KH * KW * TM // 4
%>
% if subgroup:
__attribute__((intel_reqd_sub_group_size(${subgroup})))
% endif
kernel __attribute__((reqd_work_group_size(${tile.items}, 1, 1))) void ${entry}(
    global const ${stored("x")}* restrict x, global const ${stored("w")}* restrict w,
% if bias:
    global const ${stored("bias")}* restrict bias,
% endif
${pieces.parameters()}) {
  local float4 weights[${vectors}];
  local float pixels[${lines * pitch}];
${pieces.places()}
% for f in range(tile.item_filters):
  float ${", ".join("a%d_%d = 0" % (f, p) for p in range(P))};
% endfor
  #pragma unroll 1
  for (int c = 0; c < ${channels}; ++c) {
    barrier(CLK_LOCAL_MEM_FENCE);
    global const ${stored("w")}* filter = w + c * ${KH * KW * padded_filters} + first_filter;
${pieces.unrolled(vectors)}
    for (int i = id; i < ${vectors}; i += ${tile.items})
      weights[i] = ${load("float4", "filter + i / %d * %d + i %% %d * 4" % (TM // 4, padded_filters, TM // 4), stored("w"), True)};
${pieces.copied("float", lambda place: element("image", place, stored("x")))}
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
${pieces.results("a{}_{}".format)}
}

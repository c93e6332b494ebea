<%doc>
Convolution of few channels for GPUs, as conv/stem/local, of halves that an item multiplies as such: by AMD's v_dot2_f32_f16, which
adds two products to a float (kind.k 2), or by arithmetic of halves, where what is added up as a half are the products of a
row of the window, or of all rows if they are 16 at most (kind.k 1).

x (N, C, H, W) of halves    w of halves, kind.k 2: (C, KH, pairs of KW, F padded to tile.filters, 2), a last odd tap's other is zero;
kind.k 1: (C, KH, KW, F padded)    bias (F)    y (N, F, OH, OW)
A last odd tap takes a pixel and zero: of the pixel beside it, which may be infinite, nothing gets into the sum.
Index space: local (tile.items, 1, 1); groups (pixel tiles of all images, filter tiles).

Parameters: kind; pitch: halves of a row of the copy, an odd number of pairs; dilations: (any, 1); tile, whose pixels are a multiple of
four; else as conv/stem/local.
</%doc>
<%namespace name="alone" file="/matrix_alone.mako"/>
<%namespace name="pieces" file="/conv/stem/pieces.mako"/>
<%
  KH, KW = kernel
  SH, SW = strides
  P, TM = tile.pixels, tile.filters
  paired = kind.k == 2
  W = "uint" if paired else "ushort"
  taps = -(-KW // 2) if paired else KW  # of a row: words of a filter
  quads, apart = tile.item_filters // 4, TM // (tile.item_filters // 4)
  lines = (tile.rows - 1) * SH + (KH - 1) * dilations[0] + 1
  padded_filters = -(-filters // TM) * TM
  vectors = KH * taps * TM // 4
  whole = KH * KW <= 16  # whether a window's products of a channel may be a half
  half4 = "float4" if kind.emulated else "half4"
  F, Q = range(tile.item_filters), range(P // 4)

  def word(p, tap):
      """The pair of pixels of a tap, or the pixel."""
      place = p * SW + tap * (2 if paired else 1)
      if not paired:
          return "x%d" % place
      low, odd, last = "x%d" % (place // 2), place % 2, KW % 2 and tap == taps - 1
      if odd:
          return "(%s >> 16)" % low if last else "(%s >> 16 | x%d << 16)" % (low, place // 2 + 1)
      return "(%s & 0xffffu)" % low if last else low

  places = {p * SW + tap * (2 if paired else 1) for p in range(P) for tap in range(taps)}
  if paired:
      used = {place // 2 for place in places}
      used |= {(p * SW + 2 * tap) // 2 + 1 for p in range(P) for tap in range(taps) if p * SW % 2 and not (KW % 2 and tap == taps - 1)}
  else:
      used = places
%>
<%def name="cleared()">
% for f in F:
      ${half4} ${", ".join("h%d_%d = 0" % (f, q) for q in Q)};
% endfor
</%def>
<%def name="added()">
% for f in F:
% for q in Q:
      a${f}_${q} += ${"" if kind.emulated else "convert_float4"}(h${f}_${q});
% endfor
% endfor
</%def>
${alone.functions(kind)}
% if subgroup:
__attribute__((intel_reqd_sub_group_size(${subgroup})))
% endif
kernel __attribute__((reqd_work_group_size(${tile.items}, 1, 1))) void ${entry}(
    global const ${stored("x")}* restrict x, global const ${stored("w")}* restrict w,
% if bias:
    global const ${stored("bias")}* restrict bias,
% endif
${pieces.parameters()}) {
  local ${W}4 weights[${vectors}];
  local uint pairs[${-(-lines * pitch // 2)}];
  local ushort* pixels = (local ushort*)pairs;
${pieces.places()}
% for f in F:
  float4 ${", ".join("a%d_%d = 0" % (f, q) for q in Q)};
% endfor
  #pragma unroll 1
  for (int c = 0; c < ${channels}; ++c) {
    barrier(CLK_LOCAL_MEM_FENCE);
    global const ${W}* filter = (global const ${W}*)w + c * ${KH * taps * padded_filters} + first_filter;
${pieces.unrolled(vectors)}
    for (int i = id; i < ${vectors}; i += ${tile.items})
      weights[i] = *(global const ${W}4*)(filter + i / ${TM // 4} * ${padded_filters} + i % ${TM // 4} * 4);
${pieces.copied("ushort", "((global const ushort*)image)[{}]".format)}
    barrier(CLK_LOCAL_MEM_FENCE);
    local const ${W}* source = (local const ${W}*)(pixels + row * ${SH * pitch} + column * ${SW});
    local const ${W}4* tap = weights + lane;
${cleared() if not paired and whole else ""}
    #pragma unroll 1
    for (int kh = 0; kh < ${KH}; ++kh) {
% for place in sorted(used):
      const ${W} x${place} = source[${place}];
% endfor
${cleared() if not paired and not whole else ""}
% for t in range(taps):
      {
% for quad in range(quads):
        const ${W}4 w${quad} = tap[${(t * TM + quad * apart) // 4}];
% endfor
% for q in Q:
        const ${W}4 p${q} = (${W}4)(${", ".join(word(4 * q + i, t) for i in range(4))});
% endfor
% for f in F:
% for q in Q:
<%
  sum = "%s%d_%d" % ("a" if paired else "h", f, q)
%>
        ${sum} = ${entry}_add(w${f // 4}.s${f % 4}, p${q}, ${sum});
% endfor
% endfor
      }
% endfor
${added() if not paired and not whole else ""}
      source += ${dilations[0] * pitch // (2 if paired else 1)};
      tap += ${taps * TM // 4};
    }
${added() if not paired and whole else ""}
  }
${pieces.results(lambda f, p: "a%d_%d.s%d" % (f, p // 4, p % 4))}
}

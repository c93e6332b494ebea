<%doc>
Layout conversion of a (N, C, pixels) tensor between plain (n, c, p) and channel blocks
(n, c / BLOCK, p, c % BLOCK). One work-item moves one block of channels of one image.

x        source          y        destination, in the other layout
channels C               pixels   product of the spatial sizes
Parameters: block 2..16; to_plain: direction; type: an unsigned integer of the element's size.
Lanes past the last channel become zeros in y, so that what is computed of them is never a denormal or NaN.
Whole blocks of 8 channels or 16 go by tiles of 8 x 8 elements of 32 bits or less in vectors. A tile at the end moves back so that it is full.
</%doc>
<%namespace name="run" file="/movement/run.mako"/>
<%
  # Vectors of 8 elements of 64 bits, which AVX2 has no registers for, end LLVM 14.
  tiles = block % 8 == 0 and type != "ulong"
  def place(in_blocks, part, i):
      """Row i of a tile of 8 channels: a pixel's channels, or a channel's pixels."""
      if in_blocks:
          return "blocked + (size_t)(p + %d) * %d + %d" % (i, block, part)
      return "plain + (size_t)%d * pixels + p" % (part + i)
%>
% if tiles:
${run.vector_type(entry, type, 8)}
% endif
kernel void ${entry}(
    global const ${type}* restrict x, global ${type}* restrict y, int channels, int pixels) {
  const int block_index = get_global_id(0);
  const int image = get_global_id(1);
  const int blocks = get_global_size(0);
  const int first = block_index * ${block};
  const int lanes = channels - first < ${block} ? channels - first : ${block};
  const size_t blocked = ((size_t)image * blocks + block_index) * pixels * ${block};
  const size_t plain = ((size_t)image * channels + first) * pixels;
% if tiles:
  if (lanes == ${block} && pixels >= 8) {
    for (int tile = 0; tile < pixels; tile += 8) {
      const int p = min(tile, pixels - 8);
% for part in range(0, block, 8):
      {
% for i in range(8):
        const ${entry}_v a${i} = *(global const ${entry}_v*)(x + ${place(to_plain, part, i)});
% endfor
## Three rounds of interleaving rows i and i + 4 transpose the tile, see movement/tiles.cl.mako.
% for before, after in (("a", "b"), ("b", "c"), ("c", "d")):
% for i in range(4):
        const ${entry}_v ${after}${2 * i} = (${entry}_v)(${", ".join("%s%d.s%d, %s%d.s%d" % (before, i, k, before, i + 4, k) for k in range(4))});
        const ${entry}_v ${after}${2 * i + 1} = (${entry}_v)(${", ".join("%s%d.s%d, %s%d.s%d" % (before, i, k, before, i + 4, k) for k in range(4, 8))});
% endfor
% endfor
% for i in range(8):
        *(global ${entry}_v*)(y + ${place(not to_plain, part, i)}) = d${i};
% endfor
      }
% endfor
    }
    return;
  }
% endif
% if to_plain:
  if (lanes == ${block}) {
    for (int p = 0; p < pixels; ++p) {
% for lane in range(block):
      y[plain + (size_t)${lane} * pixels + p] = x[blocked + (size_t)p * ${block} + ${lane}];
% endfor
    }
    return;
  }
  for (int lane = 0; lane < lanes; ++lane)
    for (int p = 0; p < pixels; ++p)
      y[plain + (size_t)lane * pixels + p] = x[blocked + (size_t)p * ${block} + lane];
% else:
  if (lanes == ${block}) {
    for (int p = 0; p < pixels; ++p) {
% for lane in range(block):
      y[blocked + (size_t)p * ${block} + ${lane}] = x[plain + (size_t)${lane} * pixels + p];
% endfor
    }
    return;
  }
  for (int p = 0; p < pixels; ++p)
    for (int lane = 0; lane < ${block}; ++lane)
      y[blocked + (size_t)p * ${block} + lane] = lane < lanes ? x[plain + (size_t)lane * pixels + p] : 0;
% endif
}

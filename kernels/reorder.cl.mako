<%doc>
Layout conversion of a (N, C, pixels) tensor between plain (n, c, p) and channel blocks
(n, c / BLOCK, p, c % BLOCK). One work-item moves one block of channels of one image.

x        source          y        destination, in the other layout
channels C               pixels   product of the spatial sizes
Parameters: block 2..16; to_plain: direction; type: an unsigned integer of the element's size.
Lanes past the last channel become zeros in y, so that what is computed of them is never a denormal or NaN.
Elements go by strips in vectors. To plain a strip is a few channels of a vector of pixels, of which the last moves back so that it is
full; to blocks it is a few pixels of all channels.
</%doc>
<%namespace name="exchange" file="/movement/exchange.mako"/>
<%
  size = {"uchar": 1, "ushort": 2, "uint": 4, "ulong": 8}[type]
  strips = block in (4, 8, 16) and (to_plain or 16 // size <= block)  # else the compiler does as well
  row = min(16 // size, block)  # of a strip: elements of 128 bits
  width = block // 2 if size == 8 else block  # of a vector: no longer than one of the floats of a block
  step = width if to_plain else row  # pixels of a strip
%>
% if strips:
${exchange.vector_types(entry, type, width, row)}
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
% if to_plain:
  int done = 0;
% if strips:
  if (pixels >= ${step}) {
    for (int next = 0; next < pixels; next += ${step}) {
      const int p = next < pixels - ${step} ? next : pixels - ${step};
% for part in range(0, block, row):
      if (lanes >= ${part + row})
${exchange.strip(entry, type, width, row, f"x + blocked + (size_t)p * {block} + {part}", f"{block}", f"y + plain + (size_t){part} * pixels + p", "(size_t)pixels")}
% endfor
    }
    done = lanes & ~${row - 1};
  }
% else:
  if (lanes == ${block}) {
    for (int p = 0; p < pixels; ++p) {
% for lane in range(block):
      y[plain + (size_t)${lane} * pixels + p] = x[blocked + (size_t)p * ${block} + ${lane}];
% endfor
    }
    return;
  }
% endif
  for (int lane = done; lane < lanes; ++lane)
    for (int p = 0; p < pixels; ++p)
      y[plain + (size_t)lane * pixels + p] = x[blocked + (size_t)p * ${block} + lane];
% else:
  if (lanes == ${block}) {
% if strips:
    for (int next = 0; next + ${row} <= pixels; next += ${row}) {
% for part in range(0, block, width):
${exchange.strip(entry, type, width, row, f"x + plain + (size_t){part} * pixels + next", "(size_t)pixels", f"y + blocked + (size_t)next * {block} + {part}", f"{block}")}
% endfor
    }
    for (int p = pixels & ~${row - 1}; p < pixels; ++p) {
% else:
    for (int p = 0; p < pixels; ++p) {
% endif
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

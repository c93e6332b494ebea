<%doc>
Layout conversion of a (N, C, pixels) tensor between plain (n, c, p) and channel blocks
(n, c / BLOCK, p, c % BLOCK). One work-item moves one block of channels of one image.

x        source          y        destination, in the other layout
channels C               pixels   product of the spatial sizes
Parameters: block 2..16; to_plain: direction; type: an unsigned integer of the element's size.
Lanes past the last channel become zeros in y, so that what is computed of them is never a denormal or NaN.
</%doc>
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

<%doc>
The product at one of the positions of Winograd's convolution, for the tiles of a work-item, as a function. For
winograd_product.cl.mako: all transforms of a program call the same one, and its sums are most of what there is to compile.
</%doc>
<%namespace name="register_tile" file="/conv/register_tile.mako"/>
<%!
from clconv.lowering.model.ctext import vector_type
%>
<%def name="symbol(block, vectors, pixels, tail, parts)">\
winograd_sums_${"_".join(map(str, (block, vectors, pixels, tail, parts)))}\
</%def>
## Not in itself a kernel, so that it is told how wide its vectors are. source: the transformed tiles at the position; filter:
## the weights there; product: where the first tile's sums go, `step` vectors before the next one's. tail: lanes of the
## last block, 0 if it is full; parts: in how many parts the next position's weights are asked for.
<%def name="function(block, vectors, pixels, tail, parts)">
<%
  V = vector_type(block)
  OB = vectors * block
  lines = -(-block * OB // 16 // max(parts, 1))  # of 64 bytes
  own = capture(symbol, block, vectors, pixels, tail, parts).strip()
%>
#ifndef ${own}_is_there
#define ${own}_is_there
static __attribute__((noinline)) __attribute__((min_vector_width(${32 * block}))) void ${own}(
    global const float* restrict source, global const float* restrict filter, private ${V}* restrict product, int step,
    int in_blocks, int tiles, int count) {
  for (int tile = 0; tile < count; tile += ${pixels}) {
% for p in range(pixels):
    ${V} ${", ".join("a%d_%d = (%s)(0)" % (p, k, V) for k in range(vectors))};
% endfor
    global const float* tap = filter;
    global const float* pixel = source + tile * ${block};
% if parts:
    const int part = tile / ${pixels};
    global const float* next = tap + (part < ${parts} ? in_blocks * ${block * OB} + part * ${lines * 16} : 0);
    const int next_step = part < ${parts} ? ${block * OB} : 0;
% endif
    for (int c = 0; c < ${"in_blocks - 1" if tail else "in_blocks"}; ++c, tap += ${block * OB}, pixel += tiles * ${block}) {
% if parts:
% for line in range(lines):
      __builtin_prefetch((const void*)(size_t)(next + ${line * 16}), 0, 2);
% endfor
      next += next_step;
% endif
      ${register_tile.multiply(block, lambda p: "(pixel + %d)" % (p * block), vectors, pixels, block)}
    }
% if tail:
    ${register_tile.multiply(tail, lambda p: "(pixel + %d)" % (p * block), vectors, pixels, block)}
% endif
% for p in range(pixels):
% for k in range(vectors):
    product[(tile + ${p}) * step + ${k}] = a${p}_${k};
% endfor
% endfor
  }
}
#endif
</%def>

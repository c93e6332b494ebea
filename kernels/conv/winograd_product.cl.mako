<%doc>
Product and output transform of Winograd's convolution F(m x m, r x r) on tiles of n x n:
  M[i] = sum over c of U[i, f, c] V[i, c, t] for the n * n positions i, then y = A' M A for every tile t.

v (tile blocks, n * n, C / IB, tiles, IB)     from winograd_input
u (F / OB, n * n, C / IB, IB, OB)             transformed weights, OB = vectors * block, C channels of a group
bias (F) padded       y (N, F / block, OH, OW, block)
in_blocks, group_chunks: blocks of channels, and of OB filters, of a group; all_in_blocks: of all groups. One work-item computes OB filters of one block of tiles; M stays in private memory, which is the cache.
Index space: (F / OB, tile blocks): a core keeps its tiles while the filters pass. Tiles first_tile.. of
all_tiles, counted as in winograd_input.

Parameters: block; skew; most_tiles: what `tiles` may be at most, a multiple of pixels; vectors, pixels: the register tile; tail:
channels of the last block, 0 if it is full; transform: A' as rows; m; bias; epilogue; prefetch: ask for the
next weights by clang's builtin while these are used, in as many parts, one for each of the
first tiles: so loading them from memory hides behind multiplying them.
</%doc>
<%namespace name="common" file="/common.mako"/>
<%namespace name="linear" file="/conv/linear.mako"/>
<%namespace name="moments" file="/moments.mako"/>
<%namespace name="sums" file="/conv/winograd_sums.mako"/>
<%!
from clconv.lowering.model.ctext import assign, load, vector_type
%>
<%
  V = vector_type(block)
  n = len(transform[0])
  OB = vectors * block
  leaves = context.get("leaves", False)
  shared = block, vectors, pixels, tail, int(prefetch)
%>
${sums.function(*shared)}
kernel __attribute__((vec_type_hint(${V}))) void ${entry}(
    global const float* restrict v, global const float* restrict u,
% if bias:
    global const float* restrict bias,
% endif
    global ${stored("y")}* restrict y, int in_blocks, int all_in_blocks, int out_blocks, int group_chunks, int out_height, int out_width, int tile_rows, int tile_columns,
    int tiles, int first_tile, int all_tiles${moments.parameters(leaves)}${common.epilogue_parameters(epilogue_names)}) {
  const int chunk = get_global_id(0);
  const int begin = first_tile + get_global_id(1) * tiles;
  const int count = min(tiles, all_tiles - begin);
  const size_t stride = (size_t)tiles * all_in_blocks * ${block} + ${skew};
  global const float* source = v + get_global_id(1) * ${n * n} * stride + (size_t)(chunk / group_chunks) * in_blocks * tiles * ${block};
  global const float* filter = u + (size_t)chunk * in_blocks * ${n * n * block * OB};
  ${V} product[${most_tiles}][${n * n}][${vectors}];
  for (int position = 0; position < ${n * n}; ++position)
    ${sums.symbol(*shared)}(
        source + position * stride, filter + (size_t)position * in_blocks * ${block * OB}, &product[0][position][0],
        ${n * n * vectors}, in_blocks, tiles, count);
  const int image_tiles = tile_rows * tile_columns;
  for (int k = 0; k < ${vectors}; ++k) {
    const int out_block = chunk * ${vectors} + k;
    if (out_block >= out_blocks) break;
    const int channel = out_block * ${block};
    const ${V} offset = ${load(V, "bias + channel") if bias else "(%s)(0)" % V};
% if leaves:
    float elements = 0;
    ${moments.start(V)}
% endif
    for (int t = 0; t < count; ++t) {
      const int index = begin + t;
      const int image = index / image_tiles;
      const int row = (index - image * image_tiles) / tile_columns;
      const int column = index - image * image_tiles - row * tile_columns;
      ${V} half_done[${m}][${n}];
      for (int j = 0; j < ${n}; ++j) {
% for i in range(n):
        const ${V} c${i} = product[t][${i * n} + j][k];
% endfor
        ${linear.halves(transform, "c", V)}
% for i in range(m):
        half_done[${i}][j] = ${linear.row(transform, i, "c")};
% endfor
      }
      const size_t plane = ((size_t)image * out_blocks + out_block) * out_height;
      for (int i = 0; i < ${m}; ++i) {
        const int oh = row * ${m} + i;
        if (oh >= out_height) break;
        const int ow = column * ${m};
        const size_t at = ((plane + oh) * out_width + ow) * ${block};
% for j in range(n):
        const ${V} r${j} = half_done[i][${j}];
% endfor
        ${linear.halves(transform, "r", V)}
% for j in range(m):
        if (ow + ${j} < out_width) {
          ${V} value = ${linear.row(transform, j, "r")} + offset;
          ${common.apply_epilogue(epilogue, "value", V, "channel", "at + %d" % (j * block))}
          ${assign(V, "y + at + %d" % (j * block), "value", stored("y"))}
% if leaves:
          if (elements == 0) top_ = value;
          elements += 1;
          ${moments.take(j % 4, "value", V)}
% endif
        }
% endfor
      }
    }
% if leaves:
    ${moments.leave("elements", "begin / tiles", "channel", block)}
% endif
  }
}

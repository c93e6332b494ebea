<%doc>
Winograd's convolution F(2x2, 3x3) on plain tensors for GPUs, both transforms and the products in one kernel: neither
transformed tiles nor products go through memory (Lavin and Gray 2015, section 5.2).

x (N, C, H, W)   w (F / 32, C / 8, 16, 8, 32)   bias (F)   y (N, F, OH, OW)
A work-group of 256 makes 32 tiles of 32 filters. For 8 channels at a time, each item transforms a tile of one channel
into local memory; then 16 items multiply for each of the 16 positions, 8 filters by 8 tiles each. At the end positions
are exchanged through local memory and each item makes the results of four tiles.
Index space: (256 for each 32 tiles, F / 32).
Parameters: input, output: B' and A' as rows; pad_mode none, constant, reflect, edge, wrap; store: pixels of a store;
through_local: whether what is half transformed lies in local memory, where registers are few; scale: of distances within a tile, which
items then hold in the place of its rows and columns, see winograd_tile; subgroup: work-items side by side, 0 for the compiler's choice;
bias; epilogue. Pixels past the padded image count as zeros; tiles past the last are computed and not stored.
</%doc>
<%namespace name="common" file="/common.mako"/>
<%namespace name="linear" file="/conv/linear.mako"/>
<%namespace name="shared" file="/conv/winograd_tile.mako"/>
<%!
from clconv.lowering.model.ctext import element
%>\
kernel __attribute__((reqd_work_group_size(256, 1, 1)))
${"__attribute__((intel_reqd_sub_group_size(%d)))" % subgroup if subgroup else ""} void ${entry}(
    global const ${stored("x")}* restrict x, global const float* restrict w,
% if bias:
    global const ${stored("bias")}* restrict bias,
% endif
    global ${stored("y")}* restrict y, int channels, int filters, int height, int width, int pad_top, int pad_left,
    int padded_height, int padded_width, int out_height, int out_width, int batch, int tile_rows,
    int tile_columns${common.epilogue_parameters(epilogue_names)}) {
  local float4 shared_weights[1024], shared_tiles[1024]; // (16, 8, 32) of each
  const int item = get_local_id(0);
  const int tile = get_group_id(0) * 32 + item % 32;
  const int image = min(tile / (tile_rows * tile_columns), batch - 1);
  const int row = tile / tile_columns - image * tile_rows, column = tile % tile_columns;
  const int top = row * 2 - pad_top, left = column * 2 - pad_left;
  ${shared.edges(4, pad_mode)}
  // A bit for each pixel: with a mask for each, and with more rounds unrolled, items take over 128 registers on sm_90, and
  // one work-group runs at a time in the place of two.
  const int inside = ${" | ".join("(row_mask%d & column_mask%d & %d)" % (i, j, 1 << (4 * i + j)) for i in range(4) for j in range(4))};
  const int position = item / 16, filter_part = item % 16 / 4, tile_part = item % 4;
% for i in range(8):
  float4 m${i}a = (float4)(0), m${i}b = (float4)(0);
% endfor
  const int steps = (channels + 7) / 8;
  global const float4* weights = (global const float4*)w + (size_t)get_group_id(1) * steps * 1024 + item;
% if scale:
  ${shared.corner("min(item / 32, channels - 1)", scale)}
% endif
  for (int step = 0; step < steps; ++step, weights += 1024) {
    const int c = step * 8 + item / 32;
    const int now = c < channels ? inside : 0;
% if not scale:
    global const ${stored("x")}* plane = x + ((size_t)image * channels + min(c, channels - 1)) * height * width;
% endif
% if through_local:
    // A column of pixels at a time: an item's own words hold what is half done, and registers for all of it are not needed.
    barrier(CLK_LOCAL_MEM_FENCE); // the last step's are read
% for i in range(4):
    shared_weights[item + ${256 * i}] = weights[${256 * i}];
% endfor
    local float* to = (local float*)shared_tiles + item;
% for j in range(4):
    {
% for i in range(4):
      const float pixel${i} = ${shared.pixel(1 << (4 * i + j), "%d * width + %d" % (i, j), scale) if scale else element("plane", "row%d * width + column%d" % (i, j), stored("x"))};
% endfor
% for i in range(4):
      const float c${i} = now & ${1 << (4 * i + j)} ? pixel${i} : 0;
% endfor
% for i in range(4):
      to[${(4 * i + j) * 256}] = ${linear.combination(input[i], "c")};
% endfor
    }
% endfor
% for i in range(4):
    {
% for j in range(4):
      const float r${j} = to[${(4 * i + j) * 256}];
% endfor
% for j in range(4):
      to[${(4 * i + j) * 256}] = ${linear.combination(input[j], "r")};
% endfor
    }
% endfor
% else:
    float d[4][4];
% for i in range(4):
    {
% if not scale:
      global const ${stored("x")}* line = plane + row${i} * width;
% endif
% for j in range(4):
      const float pixel${j} = ${shared.pixel(1 << (4 * i + j), "%d * width + %d" % (i, j), scale) if scale else element("line", "column%d" % j, stored("x"))};
      d[${i}][${j}] = now & ${1 << (4 * i + j)} ? pixel${j} : 0;
% endfor
    }
% endfor
    ${shared.columns_transformed(input)}
    barrier(CLK_LOCAL_MEM_FENCE); // the last step's are read
% for i in range(4):
    shared_weights[item + ${256 * i}] = weights[${256 * i}];
    {
% for j in range(4):
      const float r${j} = d[${i}][${j}];
% endfor
      local float* to = (local float*)shared_tiles + ${4 * i * 256} + item;
% for j in range(4):
      to[${j * 256}] = ${linear.combination(input[j], "r")};
% endfor
    }
% endfor
% endif
% if scale:
    corner += c + 8 < channels ? (long)${8 * scale} * height * width : 0;
% endif
    barrier(CLK_LOCAL_MEM_FENCE);
    local const float4* from_weights = shared_weights + position * 64 + filter_part * 2;
    local const float4* from_tiles = shared_tiles + position * 64 + tile_part * 2;
    #pragma unroll 2
    for (int k = 0; k < 8; ++k) {
      const float4 u0 = from_weights[k * 8], u1 = from_weights[k * 8 + 1];
      const float4 va = from_tiles[k * 8], vb = from_tiles[k * 8 + 1];
% for i in range(8):
      m${i}a = u${i // 4}.s${i % 4} * va + m${i}a;
      m${i}b = u${i // 4}.s${i % 4} * vb + m${i}b;
% endfor
    }
  }
  const int block = get_group_id(1) * 32;
  const int mine = item / 32; // of the filters that are exchanged
  local const float* products = (local const float*)shared_weights + item;
% for turn in range(4):
  {
    barrier(CLK_LOCAL_MEM_FENCE);
% for one in range(2):
    shared_weights[position * 64 + (filter_part * 2 + ${one}) * 8 + tile_part * 2] = m${2 * turn + one}a;
    shared_weights[position * 64 + (filter_part * 2 + ${one}) * 8 + tile_part * 2 + 1] = m${2 * turn + one}b;
% endfor
    barrier(CLK_LOCAL_MEM_FENCE);
    const int f = block + mine / 2 * 8 + ${2 * turn} + mine % 2;
    if (f < filters && tile < batch * tile_rows * tile_columns) {
      const float offset = ${element("bias", "f", stored("bias")) if bias else "0"};
      const size_t plane = ((size_t)image * filters + f) * out_height;
      ${shared.results(output, store, lambda at: "products[%d]" % (256 * at), epilogue)}
    }
  }
% endfor
}

<%doc>
Winograd's convolution F(4x4, 3x3) on plain tensors for GPUs, both transforms and the products in one kernel, as winograd2
has them for F(2x2, 3x3).

x (N, C, H, W)   w (F / 32, C / 3, 36, 3, 32)   bias (F)   y (N, F, OH, OW)
A work-group of 216 makes 12 tiles of 32 filters. For 3 channels at a time, each item transforms a column of 6 pixels of a tile of
one channel into local memory, then a row of what lies there; then 6 items multiply for each of the 36 positions, 16 filters by
4 tiles each: 64 sums, all of one position. At the end positions are exchanged through local memory, for 8 filters at a time, and
items make the results of a tile and filter each.
Index space: (216 for each 12 tiles, F / 32).
Parameters: input, output: B' and A' as rows; scale: of distances within a column, 1 or the bytes of an element; store: pixels of a store;
subgroup: work-items side by side, 0 for the compiler's choice; ahead: whether a step's loads are issued before the products of the
last one, which takes 22 registers; bias; epilogue. Pixels beside the image count as zeros; tiles past the last are
computed and not stored.
</%doc>
<%namespace name="common" file="/common.mako"/>
<%namespace name="linear" file="/conv/linear.mako"/>
<%namespace name="shared" file="/conv/winograd_tile.mako"/>
<%!
from clconv.lowering.model.ctext import element
%>\
<%def name="loaded(c)">\
    now = ${c} < channels ? inside : 0;
% for i in range(6):
    pixel${i} = ${shared.pixel(1 << i, "%d * width" % i, scale)};
% endfor
% for i in range(4):
    part${i} = weights[${216 * i}];
% endfor
</%def>\
kernel __attribute__((reqd_work_group_size(216, 1, 1)))
${"__attribute__((intel_reqd_sub_group_size(%d)))" % subgroup if subgroup else ""} void ${entry}(
    global const ${stored("x")}* restrict x, global const float* restrict w,
% if bias:
    global const ${stored("bias")}* restrict bias,
% endif
    global ${stored("y")}* restrict y, int channels, int filters, int height, int width, int pad_top, int pad_left,
    int padded_height, int padded_width, int out_height, int out_width, int batch, int tile_rows,
    int tile_columns${common.epilogue_parameters(epilogue_names)}) {
  // (36, 3, 32), of which each has four floats more than it needs, then tiles (36, 3, 12): neighbours multiply for positions side by
  // side, and an odd number of vectors between these is what banks of local memory serve at once.
  local float4 shared_weights[1224];
  local float4* shared_tiles = shared_weights + 900;
  const int item = get_local_id(0);
  const int tile = get_group_id(0) * 12 + item % 12;
  const int image = min(tile / (tile_rows * tile_columns), batch - 1);
  const int row = tile / tile_columns - image * tile_rows, column = tile % tile_columns;
  const int top = row * 4 - pad_top, left = column * 4 - pad_left + item / 36; // of a column of pixels
  const int channel = item / 12 % 3; // of three
  // A bit for each pixel, as in winograd2: beside the image another of the same channel is read.
  const int rows_inside = ${" | ".join("(top + %d >= 0 && top + %d < height ? %d : 0)" % (i, i, 1 << i) for i in range(6))};
  const int inside = left >= 0 && left < width ? rows_inside : 0;
  ${shared.corner("min(channel, channels - 1)", scale)}
  const int position = item % 36, filter_part = item / 108, tile_part = item / 36 % 3;
% for i in range(16):
  float4 m${i} = (float4)(0);
% endfor
  const int steps = (channels + 2) / 3;
  global const float4* weights = (global const float4*)w + (size_t)get_group_id(1) * steps * 864 + item;
  local float4* weights_to = shared_weights + item + item / 24;
  local float* column_to = (local float*)shared_tiles + item;
  local float* along = (local float*)shared_tiles + item / 36 * 216 + item % 36;
  int now;
  float ${", ".join("pixel%d" % i for i in range(6))};
  float4 ${", ".join("part%d" % i for i in range(4))};
% if ahead:
${loaded("channel")}\
% endif
  for (int step = 0; step < steps; ++step) {
    const int c = step * 3 + channel;
    barrier(CLK_LOCAL_MEM_FENCE); // the last step's are read
% if not ahead:
${loaded("c")}\
% endif
% for i in range(4):
    weights_to[${225 * i}] = part${i};
% endfor
    {
% for i in range(6):
      const float c${i} = now & ${1 << i} ? pixel${i} : 0;
% endfor
      ${linear.halves(input, "c", "float")}
% for i in range(6):
      column_to[${216 * i}] = ${linear.row(input, i, "c")};
% endfor
    }
    corner += c + 3 < channels ? (long)${3 * scale} * height * width : 0;
    weights += step + 1 < steps ? 864 : 0;
    barrier(CLK_LOCAL_MEM_FENCE);
% if ahead:
${loaded("c + 3")}\
% endif
    {
% for j in range(6):
      const float r${j} = along[${36 * j}];
% endfor
      ${linear.halves(input, "r", "float")}
% for j in range(6):
      along[${36 * j}] = ${linear.row(input, j, "r")};
% endfor
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    local const float4* from_weights = shared_weights + position * 25 + filter_part * 4;
    local const float4* from_tiles = shared_tiles + position * 9 + tile_part;
    #pragma unroll 1 // with more, Intel's compiler spills
    for (int k = 0; k < 3; ++k) {
      const float4 v = from_tiles[k * 3];
% for n in range(4):
      const float4 u${n} = from_weights[k * 8 + ${n}];
% endfor
% for i in range(16):
      m${i} = u${i // 4}.s${i % 4} * v + m${i};
% endfor
    }
  }
  local float4* to = shared_weights + position * 25 + filter_part * 12 + tile_part;
  const int mine = item / 12; // of the filters that are exchanged
  local const float* products = (local const float*)shared_weights + item;
% for turn in range(4):
  {
    barrier(CLK_LOCAL_MEM_FENCE);
% for i in range(4):
    to[${3 * i}] = m${4 * turn + i};
% endfor
    barrier(CLK_LOCAL_MEM_FENCE);
    const int f = get_group_id(1) * 32 + mine / 4 * 16 + ${4 * turn} + mine % 4;
    if (mine < 8 && f < filters && tile < batch * tile_rows * tile_columns) {
      const float offset = ${element("bias", "f", stored("bias")) if bias else "0"};
      const size_t plane = ((size_t)image * filters + f) * out_height;
      ${shared.results(output, store, lambda at: "products[%d]" % (100 * at), epilogue)}
    }
  }
% endfor
}

<%doc>
Convolution as a matrix product on GPUs, the im2col matrix never stored: C[f, p] = sum over k of
W[k, f] * X[k, p], where p counts output pixels over images and k input channels and window positions.

x (N, group, C, H, W)      w (group, K, F padded to tile_m), K in the order that `taps_outer` says
y (N, group, F, OH, OW), or with splits > 1 partial sums (splits, N * group * F * OH * OW)
One work-group computes a tile_m x tile_n tile of C for one group, item_m x item_n a work-item, from tiles
of tile_k rows that it loads into local memory, the next while it multiplies this one.
Index space: local (tile_m / item_m * tile_n / item_n); groups (pixel tiles, filter tiles, group * splits).

Parameters: tile_m, tile_n, tile_k, item_m, item_n (multiples of 4; the items of a group are a multiple of
tile_n); channels, filters: a group's; kernel, strides, dilations; pad_mode none, constant, reflect, edge,
wrap; taps_outer: K is (kh, kw, c), which needs channels % tile_k == 0, else (c, kh, kw); splits: parts of K
that work-groups of their own sum; subgroup: work-items side by side, 0 for the compiler's choice; bias; epilogue.
</%doc>
<%namespace name="common" file="/common.mako"/>
<%
  KH, KW = kernel
  SH, SW = strides
  DH, DW = dilations
  K = channels * KH * KW
  items_n = tile_n // item_n
  items = tile_m // item_m * items_n
  steps = -(-K // tile_k)
  a_loads = tile_k * tile_m // 4 // items
  a_spare = tile_k * tile_m // 4 % items
  b_rows = items // tile_n
  b_loads = tile_k // b_rows
  padded_filters = -(-filters // tile_m) * tile_m
  zero = pad_mode == "constant"
  row_parts, column_parts = item_m // 4, item_n // 4
  partial = splits > 1
%>
## Reads this item's share of tile `step` into registers next_a and next_b.
<%def name="fetch(step)">
    {
      const int k0 = (${step}) * ${tile_k};
% for i in range(a_loads + (a_spare > 0)):
<%
  guard = "if (id + %d < %d) " % (i * items, tile_k * tile_m // 4) if i == a_loads else ""
%>
      ${guard}{
        const int at = id + ${i * items};
        const int k = k0 + at / ${tile_m // 4};
        next_a${i} = ${"k < %d ? " % K if K % tile_k else ""}*(global const float4*)(w + ((size_t)group * ${K} + k) * ${padded_filters}
            + first_filter + at % ${tile_m // 4} * 4)${" : (float4)(0)" if K % tile_k else ""};
      }
% endfor
% if taps_outer:
      const int tap = k0 / ${channels};
      const int kh = tap / ${KW}, kw = tap - kh * ${KW};
      int ih = top + kh * ${DH}, iw = left + kw * ${DW};
      ${source_pixel()}
      global const float* source = image + (size_t)(k0 - tap * ${channels} + row) * plane + ih * width + iw;
% for i in range(b_loads):
      next_b${i} = inside ? source[(size_t)${i * b_rows} * plane] : 0;
% endfor
% else:
% for i in range(b_loads):
      {
        const int k = k0 + row + ${i * b_rows};
        const int c = k / ${KH * KW};
        const int tap = k - c * ${KH * KW};
        const int kh = tap / ${KW}, kw = tap - kh * ${KW};
        int ih = top + kh * ${DH}, iw = left + kw * ${DW};
        ${source_pixel()}
        next_b${i} = inside && k < ${K} ? image[(size_t)c * plane + ih * width + iw] : 0;
      }
% endfor
% endif
    }
</%def>
## From ih and iw: `inside`, and both mapped back into the image by the padding mode.
<%def name="source_pixel()">
% if zero:
      const int inside = valid && ih >= 0 && ih < height && iw >= 0 && iw < width;
% else:
      const int inside = valid;
% if pad_mode != "none":
      ih = ${common.padded_index(pad_mode, "ih", "height")};
      iw = ${common.padded_index(pad_mode, "iw", "width")};
% endif
% endif
</%def>
<%def name="keep(buffer)">
% for i in range(a_loads + (a_spare > 0)):
<%
  guard = "if (id + %d < %d) " % (i * items, tile_k * tile_m // 4) if i == a_loads else ""
%>
    ${guard}*(local float4*)(a_tile + (${buffer}) * ${tile_k * tile_m} + (id + ${i * items}) * 4) = next_a${i};
% endfor
% for i in range(b_loads):
    b_tile[(${buffer}) * ${tile_k * tile_n} + (row + ${i * b_rows}) * ${tile_n} + column] = next_b${i};
% endfor
</%def>
% if subgroup:
__attribute__((intel_reqd_sub_group_size(${subgroup})))
% endif
kernel __attribute__((reqd_work_group_size(${items}, 1, 1))) void ${entry}(
    global const float* restrict x, global const float* restrict w,
% if bias:
    global const float* restrict bias,
% endif
    global float* restrict y, int height, int width, int out_height, int out_width, int pad_top,
    int pad_left, int batch, int groups${common.epilogue_parameters(epilogue_names)}) {
  local float a_tile[${2 * tile_k * tile_m}] __attribute__((aligned(16)));
  local float b_tile[${2 * tile_k * tile_n}] __attribute__((aligned(16)));
  const int id = get_local_id(0);
  const int plane = height * width;
  const int out_plane = out_height * out_width;
  const int pixels = batch * out_plane;
  const int first_pixel = get_group_id(0) * ${tile_n};
  const int first_filter = get_group_id(1) * ${tile_m};
% if partial:
  const int group = get_group_id(2) / ${splits};
  const int split = get_group_id(2) - group * ${splits};
  const int step_begin = split * ${-(-steps // splits)};
  const int step_end = min(step_begin + ${-(-steps // splits)}, ${steps});
% else:
  const int group = get_group_id(2);
  const int step_begin = 0, step_end = ${steps};
% endif
  // The one column of the im2col tile that this item loads, and the rows it begins with.
  const int column = id % ${tile_n}, row = id / ${tile_n};
  const int pixel = first_pixel + column;
  const int valid = pixel < pixels;
  const int n = pixel / out_plane;
  const int oh = (pixel - n * out_plane) / out_width;
  const int ow = pixel - n * out_plane - oh * out_width;
  const int top = oh * ${SH} - pad_top, left = ow * ${SW} - pad_left;
  global const float* image = x + ((size_t)n * groups + group) * ${channels} * plane;
  const int item_row = id / ${items_n}, item_column = id % ${items_n};

% for i in range(a_loads + (a_spare > 0)):
  float4 next_a${i} = (float4)(0);
% endfor
  float ${", ".join("next_b%d = 0" % i for i in range(b_loads))};
% for i in range(item_m):
  float4 ${", ".join("c%d_%d = (float4)(0)" % (i, j) for j in range(column_parts))};
% endfor
  int current = 0;
  if (step_begin < step_end) {
    ${fetch("step_begin")}
    ${keep("0")}
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  // Unrolled, a loop of few steps takes more registers than there are.
  #pragma unroll 1
  for (int step = step_begin; step < step_end; ++step) {
    if (step + 1 < step_end) ${fetch("step + 1")}
    local const float* a_now = a_tile + current * ${tile_k * tile_m} + item_row * 4;
    local const float* b_now = b_tile + current * ${tile_k * tile_n} + item_column * 4;
% for k in range(tile_k):
    {
% for part in range(row_parts):
      const float4 a${part} = *(local const float4*)(a_now + ${k * tile_m + part * (tile_m // row_parts)});
% endfor
% for part in range(column_parts):
      const float4 b${part} = *(local const float4*)(b_now + ${k * tile_n + part * (tile_n // column_parts)});
% endfor
% for i in range(item_m):
% for j in range(column_parts):
      c${i}_${j} = a${i // 4}.s${i % 4} * b${j} + c${i}_${j};
% endfor
% endfor
    }
% endfor
    current ^= 1;
    if (step + 1 < step_end) {
      ${keep("current")}
    }
    barrier(CLK_LOCAL_MEM_FENCE);
  }
% for j in range(column_parts):
  {
    const int p = first_pixel + ${j * (tile_n // column_parts)} + item_column * 4;
    if (p < pixels) {
      const int whole = p + 4 <= pixels && out_plane % 4 == 0;
      const int image_index = p / out_plane;
      const int within = p - image_index * out_plane;
% for i in range(item_m):
      {
        const int f = first_filter + ${i // 4 * (tile_m // row_parts) + i % 4} + item_row * 4;
        if (f < ${filters}) {
          const int channel = group * ${filters} + f;
% if bias and not partial:
          c${i}_${j} = c${i}_${j} + (float4)(bias[channel]);
% endif
          const size_t at = ((size_t)image_index * groups * ${filters} + channel) * out_plane + within;
% if partial:
          global float* target = y + (size_t)split * batch * groups * ${filters} * out_plane;
% else:
          global float* target = y;
% endif
          if (whole) {
% if not partial:
            ${common.apply_epilogue(epilogue, "c%d_%d" % (i, j), "float4", "channel", "at", one_channel=True)}
% endif
            *(global float4_u*)(target + at) = c${i}_${j};
          } else {
            const float values[4] = {c${i}_${j}.s0, c${i}_${j}.s1, c${i}_${j}.s2, c${i}_${j}.s3};
            for (int lane = 0; lane < 4 && p + lane < pixels; ++lane) {
              const int q = p + lane, m = q / out_plane;
              const size_t place = ((size_t)m * groups * ${filters} + channel) * out_plane + q - m * out_plane;
              float value = values[lane];
% if not partial:
              ${common.apply_epilogue(epilogue, "value", "float", "channel", "place")}
% endif
              target[place] = value;
            }
          }
        }
      }
% endfor
    }
  }
% endfor
}

<%doc>
Convolution as a matrix product on GPUs, the im2col matrix never stored: C[f, p] = sum over k of
W[k, f] * X[k, p], where p counts output pixels over images and k input channels and window positions.

x (N, group, C, H, W)      w (group, K, F padded to tile.m), K in the order that `channel_block` says
y (N, group, F, OH, OW), or if partial, sums of a part of K each: (splits, N * group * F * OH * OW)
One work-group computes a tile.m x tile.n tile of C for one group, from tiles of tile.k rows that it loads into
local memory, the next while it multiplies this one.
Index space: local (tile.items); groups (pixel tiles, filter tiles, group * splits).

Parameters: tile, whose items are a multiple of tile.n; kind of the multiplication: see tile_product; channels,
filters: a group's; kernel, strides, dilations; pad_mode none, constant, reflect, edge, wrap; channel_block: K is
(c / channel_block, kh, kw, c % channel_block), and it is 1 or tile.k; tap_width: what kw is padded to, which divides tile.k, or 0;
fours: whether each image of y is a multiple of
four pixels; pixel_width: of a load of x, 1, or 4 if fours and pixels do not see their neighbours; partial;
subgroup: work-items side by side, 0 for the compiler's choice; bias; epilogue.
</%doc>
<%namespace name="common" file="/common.mako"/>
<%namespace name="product" file="/tile_product.mako"/>
<%namespace name="im2col" file="/conv/im2col.mako"/>
<%!
from clconv.lowering.model.ctext import assign, set_element, vector_type
from clconv.lowering.shared.tile_text import columns
%>
<%
  steps = -(-channels * kernel[0] * (tap_width or kernel[1]) // tile.k)
  a_row, b_row = tile.row_lengths(kind)
%>
${product.functions(kind)}
% if subgroup:
__attribute__((intel_reqd_sub_group_size(${subgroup})))
% endif
kernel __attribute__((reqd_work_group_size(${tile.items}, 1, 1))) void ${entry}(
    global const ${stored("x")}* restrict x, global const ${stored("w")}* restrict w,
% if bias:
    global const float* restrict bias,
% endif
    global ${stored("y")}* restrict y, int height, int width, int out_height, int out_width, int pad_top,
    int pad_left, int batch, int groups, int splits${common.epilogue_parameters(epilogue_names)}) {
  ${product.local_tiles(tile, kind, a_row, b_row)}
  const int id = get_local_id(0);
  const int plane = height * width;
  const int out_plane = out_height * out_width;
  const int pixels = batch * out_plane;
  const int first_pixel = get_group_id(0) * ${tile.n};
  const int first_filter = get_group_id(1) * ${tile.m};
% if partial:
  const int group = get_group_id(2) / splits;
  const int split = get_group_id(2) - group * splits;
  const int part = (${steps - 1} + splits) / splits;
  const int step_begin = split * part, step_end = min(step_begin + part, ${steps});
  global ${stored("y")}* target = y + (size_t)split * batch * groups * ${filters} * out_plane;
% else:
  const int group = get_group_id(2);
  const int step_begin = 0, step_end = ${steps};
  global ${stored("y")}* target = y;
% endif
  ${im2col.registers()}
  ${product.results(tile, kind)}
  ${product.sum_steps(tile, kind, a_row, b_row, im2col.fetch, im2col.keep)}
<%
  every = columns(tile, kind)
  even = filters % tile.m == 0
%>
  // The first result's filter, image and place in it; the others lie at fixed distances. What is added is read at once, so
  // that no store waits for it.
  const int filter = first_filter + item_row;
  const int first_channel = group * ${filters} + filter;
  const int first_image = (first_pixel + item_column) / out_plane;
  const int first_within = first_pixel + item_column - first_image * out_plane;
% if bias and not partial:
% for _, row in every[0].rows:
  const float bias_${row} = bias[${"first_channel + %d" % row if even else "group * %d + min(filter + %d, %d)" % (filters, row, filters - 1)}];
% endfor
% endif
% for column in every:
<%
  W = column.width
  V = vector_type(W)
  ragged = W > 1 and not fours
%>
  {
    const int p = first_pixel + item_column + ${column.first};
    int image_index = first_image, within = first_within + ${column.first};
    if (within >= out_plane) {
      image_index = p / out_plane;
      within = p - image_index * out_plane;
    }
    if (p < pixels) {
      const size_t first_at = ((size_t)image_index * groups * ${filters} + first_channel) * out_plane + within;
% if ragged:
      // Neighbours of the first pixel that lie on another image: how far they are.
% for lane in range(1, W):
      const size_t next_${lane} = ${lane} + (within + ${lane} < out_plane ? 0 : (size_t)((within + ${lane}) / out_plane) * (groups * ${filters} - 1) * out_plane);
% endfor
% endif
% for name, row in column.rows:
      ${"{" if even else "if (filter + %d < %d) {" % (row, filters)}
        const int channel = first_channel + ${row};
        const size_t at = first_at + (size_t)out_plane * ${row};
% if bias and not partial:
        ${name} = ${name} + (${V})(bias_${row});
% endif
% if ragged:
## Each for itself: a loop over them would index registers, which then lie in memory.
% for lane in range(W):
        ${"if (p + %d < pixels) {" % lane if lane else "{"}
          const size_t place = at${" + next_%d" % lane if lane else ""};
          float value = ${name}.s${lane};
% if not partial:
          ${common.apply_epilogue(epilogue, "value", "float", "channel", "place")}
% endif
          ${set_element("target", "place", "value", stored("y"))}
        }
% endfor
% else:
% if not partial:
        ${common.apply_epilogue(epilogue, name, V, "channel", "at", one_channel=True, aligned=fours)}
% endif
        ${assign(V, "target + at", name, stored("y"), fours)}
% endif
      }
% endfor
    }
  }
% endfor
}

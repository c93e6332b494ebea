<%doc>
Direct convolution on channel blocks for CPUs: a register tile of `pixels` x `vectors` accumulators.

  y[n, f, oh, ow] = bias[f] + sum over c, kh, kw of w[f, c, kh, kw] * x[n, c, oh * S - P + kh * D, ...]

x     (N, group, C / IB, H, W, IB): channel blocks, or plain with IB = 1
w     (group, F / OB, C / IB, KH, KW, IB, OB) with OB = vectors * block, and a vector of zeros behind it
bias  (group * F) padded       y (N, group, F / block, OH, OW, block)
Output pixels are counted in runs: a row each, or the whole image as one run where rows are short. One
work-item computes `runs` runs, or `length` pixels of one, of OB filters of one image; no local memory, no
barrier. Index space: (F / OB, run items, N * group): neighbouring items read the same pixels, so that they
stay in a core's own cache while its filters pass; with filters_last (run items, F / OB, N * group).
Some tiles are one pixel narrower where that makes them fill a run exactly: 49 = 4 * 6 + 5 * 5.
A tile whose window lies inside the image reads at constant distances; another one looks up row and column
of each pixel, where padded pixels of mode "constant" point at the zeros behind the weights, and copies channel blocks to
where the same loop finds them at constant distances. On plain input such a tile copies the columns that its windows reach.
Windows of one pixel lie inside wherever they are: their image is one run, whose last item takes what is left if that
is less than a tile; an image that is less than a tile is computed pixel by pixel.

in_blocks, filters: a group's. last_lanes: channels of its last block. Parameters: block 4, 8, 16; in_block 1 or block; vectors, pixels: the register
tile; narrower: pixels of the narrower one, 0 for none; pointwise: whether windows of one pixel lie side by side, without padding; short_images: whether their image may be less than a tile;
half_last: whether the last vector's second half is of no filters, so that it is not computed, and there is one tile of filters; lanes_a_turn: channels that the inner loop takes at a time; tail: those of the last block that it leaves; prefetch: ask for the weights of the next filters by clang's
builtin while these are used, a quarter of them in each of the first tiles; kernel, strides, dilations: (height, width); pad_mode none, constant, reflect, edge, wrap.
</%doc>
<%namespace name="common" file="/common.mako"/>
<%namespace name="moments" file="/moments.mako"/>
<%namespace name="direct_tile" file="/conv/direct_tile.mako"/>
<%!
from clconv.lowering.model.ctext import vector_type
from clconv.lowering.shared.epilogue import Choices
%>
<%
  V = vector_type(block)
  KH, KW = kernel
  OB = vectors * block
  halves = stored("x") == "half"
  end_of_weights = "(size_t)groups * chunks * chunk_weights"
  zero = pad_mode == "constant"
  # Both widths of a tile have one text where registers are left, which compiles in two thirds of the time.
  shared = block == 16 and not halves
  leaves = context.get("leaves", False)
%>
kernel __attribute__((vec_type_hint(${V}))) void ${entry}(
    global const ${stored("x")}* restrict x, global const ${stored("w")}* restrict w,
% if bias:
    global const float* restrict bias,
% endif
    global ${stored("y")}* restrict y, int height, int width, int out_height, int out_width, int pad_top,
    int pad_left, int in_blocks, int last_lanes, int filters, int groups, int run, int runs,
    int length, int filters_last${moments.parameters(leaves)}${common.epilogue_parameters(epilogue_names, isinstance(epilogue, Choices))}) {
% if halves or half_last:
  const int in_memory = min(width, 0);  // 0, which no compiler can know
% endif
  const int chunk = filters_last ? get_global_id(1) : get_global_id(0);
  const int chunks = filters_last ? get_global_size(1) : get_global_size(0);
  const int item = filters_last ? get_global_id(0) : get_global_id(1);
  const int n = get_global_id(2) / groups;
  const int g = get_global_id(2) - n * groups;
  global const ${stored("x")}* image = x + ((size_t)n * groups + g) * in_blocks * ${in_block} * height * width;
  const size_t chunk_weights = (size_t)in_blocks * ${in_block * KH * KW * OB};
  global const ${stored("w")}* filter = w + (g * chunks + chunk) * chunk_weights;
% if zero:
  global const ${stored("x")}* zeros = ${"w + %s" % end_of_weights if stored("x") == stored("w") else "(global const half*)(w + %s)" % end_of_weights};
% endif
  const int out_blocks = (filters + ${block - 1}) / ${block};
  const int out_pixels = out_height * out_width;
% if pointwise:
  const int items_a_run = max((run + length - ${pixels}) / length, 1);
% else:
  const int items_a_run = (run + length - 1) / length;
% endif
  const int run_item = item / items_a_run;
  const int begin_in_run = (item - run_item * items_a_run) * length;
% if pointwise:
  const int end_in_run = item == items_a_run - 1 ? run : begin_in_run + length;
% else:
  const int end_in_run = min(begin_in_run + length, run);
% endif
  const int run_end = min((run_item + 1) * runs * run, out_pixels);
  const int pixels = end_in_run - begin_in_run;
  const int tiles = (pixels + ${pixels - 1}) / ${pixels};
% if narrower:
  const int missing = tiles * ${pixels} - pixels;
  const int wide = missing <= tiles ? tiles - missing : tiles;
% endif
% if pointwise and pixels > 1 and short_images:
  if (pixels < ${pixels}${" && missing > tiles" if narrower else ""}) {
    for (int first = begin_in_run; first < end_in_run; ++first) {
      ${direct_tile.tile(1)}
    }
% if not leaves:
    return;
% endif
  }${" else" if leaves else ""}
% endif
  for (int start = run_item * runs * run; start < run_end; start += run)
  for (int tile = 0; tile < tiles; ++tile) {
    const int end = start + end_in_run;
% if narrower and not shared:
    if (tile >= wide) {
      const int first = start + begin_in_run + wide * ${pixels} + (tile - wide) * ${narrower};
      ${direct_tile.tile(narrower)}
      continue;
    }
% endif
    // Where nothing else fits, the last tile moves back so that it is full; it computes some pixels again.
% if narrower and shared:
    const int narrow = tile >= wide;
    const int first = start + (narrow ? begin_in_run + tile * ${pixels} - (tile - wide)
        : max(min(begin_in_run + tile * ${pixels}, end_in_run - ${pixels}), begin_in_run));
    ${direct_tile.tile(pixels, True)}
% else:
    const int first = start + max(min(begin_in_run + tile * ${pixels}, end_in_run - ${pixels}), begin_in_run);
    ${direct_tile.tile(pixels)}
% endif
  }
% if leaves:
  const int written = run_item * runs * run + begin_in_run;
  const int behind = runs > 1 ? run_end : run_item * run + end_in_run;
  const int part_number = n * (filters_last ? get_global_size(0) : get_global_size(1)) + item;
  for (int v = 0; v < ${vectors} && chunk * ${OB} + v * ${block} < filters; ++v) {
    const size_t plane = ((size_t)n * groups + g) * out_blocks + chunk * ${vectors} + v;
    ${moments.of_run("(plane * out_pixels + written) * %d" % block, "behind - written", "part_number",
                     "g * filters + chunk * %d + v * %d" % (OB, block), block)}
  }
% endif
}

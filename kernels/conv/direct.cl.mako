<%doc>
Direct convolution on channel blocks for CPUs: a register tile of `pixels` x `vectors` accumulators.

  y[n, f, oh, ow] = bias[f] + sum over c, kh, kw of w[f, c, kh, kw] * x[n, c, oh * S - P + kh * D, ...]

x     (N, group, C / IB, H, W, IB): channel blocks, or plain with IB = 1
w     (group, F / OB, C / IB, KH, KW, IB, OB) with OB = vectors * block, and a vector of zeros behind it
bias  (group * F) padded       y (N, group, F / block, OH, OW, block)
Output pixels are counted in runs: a row each, or the whole image as one run where rows are short. One
work-item computes `runs` runs, or `length` pixels of one, of OB filters of one image; no local memory, no
barrier. Index space: (F / OB, run items, N * group): neighbouring items read the same pixels, so that they
stay in a core's own cache while its filters pass.
A tile whose window lies inside the image reads at constant distances; another one looks up row and column
of each pixel, where padded pixels of mode "constant" point at the zeros behind the weights.

in_blocks, filters: a group's. Parameters: block 4, 8, 16; in_block 1 or block; vectors, pixels: the register
tile; tail: channels of the last block, 0 if it is full; kernel, strides, dilations: (height, width); pad_mode none, constant, reflect, edge, wrap.
</%doc>
<%namespace name="common" file="/common.mako"/>
<%namespace name="register_tile" file="/conv/register_tile.mako"/>
<%!
from clconv.lowering.ctext import load, vector_type
%>
<%
  V = vector_type(block)
  KH, KW = kernel
  SH, SW = strides
  DH, DW = dilations
  OB = vectors * block
  columns = (pixels - 1) * SW + (KW - 1) * DW + 1
  halves = stored("x") == "half"
  end_of_weights = "groups * get_global_size(0) * chunk_weights"
  zero = pad_mode == "constant"
  row_runs = in_block == 1  # runs are rows then, and looking up rows would cost more than it sums
%>
## Puts a pixel's lanes, halves in memory, into an array of floats.
<%def name="widen(floats, address)">\
% if in_block == 1:
*(${floats}) = ${load("float", address, "half")};\
% else:
*(private ${V}_u*)(${floats}) = ${load(V, address, "half")};\
% endif
</%def>\
## The sum over all channels and window positions, for a tile inside the image or any other.
<%def name="accumulate(inside)">
<%
  one_row = inside or row_runs
%>
    for (int block_index = 0; block_index < in_blocks; ++block_index) {
      global const ${stored("x")}* plane = image + (size_t)block_index * height * width * ${in_block};
      for (int kh = 0; kh < ${KH}; ++kh) {
% if one_row:
        int ih = oh * ${SH} - pad_top + kh * ${DH};
% if zero:
        if (ih < 0 || ih >= height) continue;
% elif pad_mode != "none":
        ih = ${common.padded_index(pad_mode, "ih", "height")};
% endif
        global const ${stored("x")}* line = plane + ih * width * ${in_block};
% endif
        global const ${stored("w")}* taps = filter + (block_index * ${KH} + kh) * ${KW * in_block * OB};
% if inside and halves:
        // Halves become floats once, not at each use: in memory, for the compiler would take registers apart.
        float floats[${columns * in_block}];
% for c in sorted({p * SW + kw * DW for p in range(pixels) for kw in range(KW)}):
        ${widen("floats + %d" % (c * in_block), "line + (left + %d) * %d" % (c, in_block))}
% endfor
% endif
        for (int kw = 0; kw < ${KW}; ++kw) {
          global const ${stored("w")}* tap = taps + kw * ${in_block * OB};
% if inside:
% if halves:
          const float* source = floats + in_memory + kw * ${DW * in_block};
% else:
          global const float* source = line + (left + kw * ${DW}) * ${in_block};
% endif
% else:
% for p in range(pixels):
<%
  outside, place = "column[kw][%d]" % p, "line + column[kw][%d]" % p
  if not one_row:
      outside, place = "(row[kh][%d] | %s)" % (p, outside), "plane + (row[kh][%d] + column[kw][%d])" % (p, p)
  address = "%s%s" % ("%s < 0 ? zeros : " % outside if zero else "", place)
%>
% if halves:
          float s${p}[${in_block}];
          ${widen("s%d" % p, address)}
% else:
          global const float* s${p} = ${address};
% endif
% endfor
% endif
<%
  pixel = (lambda p: "(source + %d)" % (p * SW * in_block)) if inside else (lambda p: "s%d" % p)
%>
% if tail:
          if (block_index == in_blocks - 1) {
            ${register_tile.multiply(tail, pixel, vectors, pixels, block)}
            continue;
          }
% endif
          ${register_tile.multiply(in_block, pixel, vectors, pixels, block)}
        }
      }
    }
</%def>
kernel __attribute__((vec_type_hint(${V}))) void ${entry}(
    global const ${stored("x")}* restrict x, global const ${stored("w")}* restrict w,
% if bias:
    global const float* restrict bias,
% endif
    global ${stored("y")}* restrict y, int height, int width, int out_height, int out_width, int pad_top,
    int pad_left, int in_blocks, int filters, int groups, int run, int runs,
    int length${common.epilogue_parameters(epilogue_names)}) {
% if halves:
  const int in_memory = min(width, 0);  // 0, which no compiler can know
% endif
  const int chunk = get_global_id(0);
  const int n = get_global_id(2) / groups;
  const int g = get_global_id(2) - n * groups;
  global const ${stored("x")}* image = x + ((size_t)n * groups + g) * in_blocks * ${in_block} * height * width;
  const size_t chunk_weights = (size_t)in_blocks * ${in_block * KH * KW * OB};
  global const ${stored("w")}* filter = w + (g * get_global_size(0) + chunk) * chunk_weights;
% if zero:
  global const ${stored("x")}* zeros = ${"w + %s" % end_of_weights if stored("x") == stored("w") else "(global const half*)(w + %s)" % end_of_weights};
% endif
  const int out_blocks = (filters + ${block - 1}) / ${block};
  const int out_pixels = out_height * out_width;
  const int items_a_run = (run + length - 1) / length;
  const int run_item = get_global_id(1) / items_a_run;
  const int begin_in_run = (get_global_id(1) - run_item * items_a_run) * length;
  const int end_in_run = min(begin_in_run + length, run);
  const int run_end = min((run_item + 1) * runs * run, out_pixels);
  for (int start = run_item * runs * run; start < run_end; start += run)
  for (int tile = begin_in_run; tile < end_in_run; tile += ${pixels}) {
    // The last tile of a run moves back so that it is full; it computes some pixels again.
    const int first = start + max(min(tile, end_in_run - ${pixels}), begin_in_run);
    const int end = start + end_in_run;
    const int oh = first / out_width;
    const int ow = first - oh * out_width;
% for v in range(vectors):
    ${V} a0_${v} = ${load(V, "bias + g * filters + chunk * %d + %d" % (OB, v * block)) if bias else "(%s)(0)" % V};
% endfor
% for p in range(1, pixels):
    ${V} ${", ".join("a%d_%d = a0_%d" % (p, v, v) for v in range(vectors))};
% endfor
    const int left = ow * ${SW} - pad_left;
    const int inside = ow + ${pixels} <= out_width && first + ${pixels} <= end
        && left >= 0 && left + ${(pixels - 1) * SW + (KW - 1) * DW} < width;
    if (inside) {
      ${accumulate(True)}
    } else {
      int column[${KW}][${pixels}];
      int pw = ow;
% if not row_runs:
      int row[${KH}][${pixels}];
      int ph = oh;
% endif
      for (int p = 0; p < ${pixels}; ++p) {
% if not row_runs:
        for (int kh = 0; kh < ${KH}; ++kh) {
          const int ih = ph * ${SH} - pad_top + kh * ${DH};
% if zero:
          row[kh][p] = ih < 0 || ih >= height ? -1 : ih * width * ${in_block};
% else:
          row[kh][p] = (${common.padded_index(pad_mode, "ih", "height")}) * width * ${in_block};
% endif
        }
% endif
        for (int kw = 0; kw < ${KW}; ++kw) {
          const int iw = pw * ${SW} - pad_left + kw * ${DW};
% if zero:
          column[kw][p] = iw < 0 || iw >= width ? -1 : iw * ${in_block};
% else:
          column[kw][p] = (${common.padded_index(pad_mode, "iw", "width")}) * ${in_block};
% endif
        }
        // Pixels past the end repeat the last one.
% if row_runs:
        if (first + p + 1 < end) ++pw;
% else:
        if (first + p + 1 < end && ++pw == out_width) { pw = 0; ++ph; }
% endif
      }
      ${accumulate(False)}
    }
% for v in range(vectors):
    if (chunk * ${OB} + ${v * block} < filters) {
      const int channel = g * filters + chunk * ${OB} + ${v * block};
      const size_t plane = ((size_t)n * groups + g) * out_blocks + chunk * ${vectors} + ${v};
      const size_t at = (plane * out_pixels + first) * ${block};
      ${register_tile.store_pixels(["a%d_%d" % (p, v) for p in range(pixels)], "end - first", block,
                                  epilogue, "channel", "at")}
    }
% endfor
  }
}

<%doc>One register tile of a direct convolution: sums, looks up what lies outside the image, stores. For direct.cl.mako.</%doc>
<%namespace name="common" file="/common.mako"/>
<%namespace name="outside" file="/conv/outside.mako"/>
<%namespace name="ahead" file="/conv/ahead.mako"/>
<%namespace name="register_tile" file="/conv/register_tile.mako"/>
<%!
from clconv.lowering.model.ctext import load, vector_type
from clconv.lowering.shared.epilogue import BIAS_OR_NULL
%>
## Puts a pixel's lanes into an array of floats.
<%def name="widen(floats, address)">\
${"*(%s) = " % floats if in_block == 1 else "*(private %s_u*)(%s) = " % (vector_type(block), floats)}\
${load("float" if in_block == 1 else vector_type(block), address, stored("x"))};\
</%def>\
## `pixels` neighbours in a run, from `first` to before `end`. two_widths: one fewer where C's variable `narrow` is 1.
<%def name="tile(pixels, two_widths=False)">
<%
  V = vector_type(block)
  of = lambda v: vector_type(block // 2) if half_last and v == vectors - 1 else V
  (KH, KW), (SH, SW), (DH, DW) = kernel, strides, dilations
  OB, halves = vectors * block, stored("x") == "half"
  zero = pad_mode == "constant"
  row_runs = in_block == 1  # runs are rows then, and looking up rows would cost more than it sums
  asks = prefetch and pixels > 1 and in_block >= 8
  whole = '_Pragma("unroll") ' if row_runs and block == 8 and KH * KW <= 9 and pad_mode == "none" else ""  # else no gain
  columns = (pixels - 1) * SW + (KW - 1) * DW + 1
  last_if, fewer = ("!narrow", " - narrow") if two_widths else ("", "")
  nullable = lambda V: "!bias ? (%s)(0) : " % V if bias == BIAS_OR_NULL else ""
  patch = (columns if halves or row_runs else (pixels - 1) * SW + 1) * in_block
  filled = pad_mode in ("none", "constant")  # with zeros
%>
## The sum over all channels and window positions.
<%def name="sums()">
    for (int block_index = 0; block_index < in_blocks; ++block_index) {
      global const ${stored("x")}* plane = image + (size_t)block_index * height * width * ${in_block};
      ${whole}for (int kh = 0; kh < ${KH}; ++kh) {
        int ih = oh * ${SH} - pad_top + kh * ${DH};
% if zero:
        if (${"" if row_runs else "inside && "}(ih < 0 || ih >= height)) continue;
% elif pad_mode != "none":
        ih = ${common.padded_index(pad_mode, "ih", "height")};
% endif
        global const ${stored("x")}* line = plane + ih * width * ${in_block};
        global const ${stored("w")}* taps = filter + (block_index * ${KH} + kh) * ${KW * in_block * OB};
% if halves:
        // Halves become floats once, not at each use: in memory, for the compiler would take registers apart.
        if (inside) {
% for c in sorted({p * SW + kw * DW for p in range(pixels) for kw in range(KW)}):
          ${widen("patch + %d" % (c * in_block), "line + (left + %d) * %d" % (c, in_block))}
% endfor
        }
% endif
% if row_runs:
        if (!inside) {
          for (int c = from; c < to; ++c) patch[c] = ${load("float", "line + left + c", stored("x"))};
% if not filled:
          for (int c = 0; c < ${columns}; ++c) {
            const int iw = min(left + c, (out_width - 1) * ${SW} - pad_left + ${(KW - 1) * DW});  // not past the last pixel's
            if (c < from || c >= to) patch[c] = ${load("float", "line + (%s)" % capture(common.padded_index, pad_mode, "iw", "width").strip(), stored("x"))};
          }
% endif
        }
% endif
        for (int kw = 0; kw < ${KW}; ++kw) {
          global const ${stored("w")}* tap = taps + kw * ${in_block * OB};
% if not row_runs and not pointwise:
          if (!inside) {
% for p in range(pixels):
<%
  test = "(row[kh][%d] | column[kw][%d]) < 0 ? zeros : " % (p, p) if zero else ""
  address = test + "plane + (row[kh][%d] + column[kw][%d])" % (p, p)
%>
            ${widen("patch + %d" % (p * SW * in_block), address)}
% endfor
          }
% endif
<%
  shift = "kw * %d" % (DW * in_block)
  begin, moved = ("", " + " + shift) if row_runs else (" + " + shift, "")  # rows lie whole in the patch, else a column
%>
% if halves:
          const float* source = patch + in_memory + ${shift if row_runs else "(inside ? %s : 0)" % shift};
% else:
          global const float* source = (${"" if pointwise else "!inside ? (global const float*)(size_t)patch : "}line + left * ${in_block}${begin})${moved};
% endif
<%
  pixel = lambda p, source="source": "(%s + %d)" % (source, p * SW * in_block)
  lane = lambda p, source="source": "(%s + c)" % pixel(p, source)
%>
          ${"global const float* again = source + in_memory;" if half_last else ""}
% if in_block > lanes_a_turn or tail:
          const int lanes = block_index == in_blocks - 1 ? last_lanes : ${in_block};
          int c = 0;
          // Not unrolled whole: the processor keeps so many decoded instructions and no more, and compiling takes half.
#pragma unroll 1
          for (; c + ${lanes_a_turn} <= lanes; c += ${lanes_a_turn}, tap += ${lanes_a_turn * OB}) {
% if asks:
${ahead.turn(pixels)}\
% endif
            ${register_tile.multiply(lanes_a_turn, lane, vectors, pixels, block, last_if, half_last)}
          }
% if tail:
          if (c < lanes) {
            ${register_tile.multiply(tail, lane, vectors, pixels, block, last_if, half_last)}
          }
% endif
% else:
          ${ahead.turn(pixels) if asks else ""}
          ${register_tile.multiply(in_block, pixel, vectors, pixels, block, last_if, half_last)}
% endif
        }
      }
    }
</%def>
% if asks:
${ahead.start(pixels)}\
% endif
    const int oh = ${"0, ow = first" if pointwise else "first / out_width, ow = first - oh * out_width"};
% for v in range(vectors):
    ${of(v)} a0_${v} = ${nullable(of(v))}${load(of(v), "bias + g * filters + chunk * %d + %d" % (OB, v * block)) if bias else "(%s)(0)" % of(v)};
% endfor
% for p in range(1, pixels):
    ${" ".join("%s a%d_%d = a0_%d;" % (of(v), p, v, v) for v in range(vectors))}
% endfor
    const int left = ow * ${SW} - pad_left;
    const int inside = ${"1;" if pointwise else "ow + %d%s <= out_width && first + %d%s <= end" % (pixels, fewer, pixels, fewer)}
% if not pointwise:
        && left >= 0 && left + ${(pixels - 1) * SW + (KW - 1) * DW}${" - narrow * %d" % SW if two_widths else ""} < width;
% endif
    float patch[${patch}] __attribute__((aligned(64)));
% if row_runs:
    // Columns of the image that the tile's windows reach lie at patch[from] to before patch[to].
    const int from = clamp(-left, 0, ${columns}), to = clamp(width - left, from, ${columns});
    ${"if (!inside) for (int c = 0; c < %d; ++c) patch[c] = 0;" % columns if filled else ""}
% elif not pointwise:
    int column[${KW}][${pixels}], row[${KH}][${pixels}];
    if (!inside) {
      ${outside.look_up(pixels)}    }
% endif
    ${sums()}
% for v in range(vectors):
    if (chunk * ${OB} + ${v * block} < filters) {
      const int channel = g * filters + chunk * ${OB} + ${v * block};
      const size_t plane = ((size_t)n * groups + g) * out_blocks + chunk * ${vectors} + ${v};
      const size_t at = (plane * out_pixels + first) * ${block};
      ${register_tile.store_pixels(["a%d_%d" % (p, v) for p in range(pixels)], "" if pointwise else "end - first", block,
                                  epilogue, "channel", "at", last_if, half_last and v == vectors - 1)}
    }
% endfor
</%def>

<%doc>
One register tile of a direct convolution: sums, looks up what lies outside the image, stores. See direct.cl.mako,
whose parameters and C variables it uses.
</%doc>
<%namespace name="common" file="/common.mako"/>
<%namespace name="outside" file="/conv/outside.mako"/>
<%namespace name="register_tile" file="/conv/register_tile.mako"/>
<%!
from clconv.lowering.model.ctext import load, vector_type
%>
## Puts a pixel's lanes, halves in memory, into an array of floats.
<%def name="widen(floats, address)">\
% if in_block == 1:
*(${floats}) = ${load("float", address, "half")};\
% else:
*(private ${vector_type(block)}_u*)(${floats}) = ${load(vector_type(block), address, "half")};\
% endif
</%def>\
## `pixels` neighbours in a run, of which `first` is the first and `end` lies behind the last.
<%def name="tile(pixels)">
<%
  V = vector_type(block)
  KH, KW = kernel
  SH, SW = strides
  DH, DW = dilations
  OB = vectors * block
  halves = stored("x") == "half"
  zero = pad_mode == "constant"
  row_runs = in_block == 1  # runs are rows then, and looking up rows would cost more than it sums
%>
## The sum over all channels and window positions, for a tile inside the image or any other.
<%def name="accumulate(inside)">
<%
  columns = (pixels - 1) * SW + (KW - 1) * DW + 1
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
<%
  several = lambda p: "(%s + c)" % pixel(p)
%>
% if in_block > lanes_a_turn or tail:
          const int lanes = block_index == in_blocks - 1 ? last_lanes : ${in_block};
          int c = 0;
          // Not unrolled whole: the processor keeps so many decoded instructions and no more, and compiling takes half.
#pragma unroll 1
          for (; c + ${lanes_a_turn} <= lanes; c += ${lanes_a_turn}, tap += ${lanes_a_turn * OB}) {
            ${register_tile.multiply(lanes_a_turn, several, vectors, pixels, block)}
          }
% if tail:
          if (c < lanes) {
            ${register_tile.multiply(tail, several, vectors, pixels, block)}
          }
% endif
% else:
          ${register_tile.multiply(in_block, pixel, vectors, pixels, block)}
% endif
        }
      }
    }
</%def>
% if pointwise:
    const int oh = 0, ow = first;
% else:
    const int oh = first / out_width;
    const int ow = first - oh * out_width;
% endif
% for v in range(vectors):
    ${V} a0_${v} = ${load(V, "bias + g * filters + chunk * %d + %d" % (OB, v * block)) if bias else "(%s)(0)" % V};
% endfor
% for p in range(1, pixels):
    ${V} ${", ".join("a%d_%d = a0_%d" % (p, v, v) for v in range(vectors))};
% endfor
    const int left = ow * ${SW} - pad_left;
% if pointwise:
    ${accumulate(True)}
% else:
    const int inside = ow + ${pixels} <= out_width && first + ${pixels} <= end
        && left >= 0 && left + ${(pixels - 1) * SW + (KW - 1) * DW} < width;
    if (inside) {
      ${accumulate(True)}
    } else {
      ${outside.look_up(pixels)}\
      ${accumulate(False)}
    }
% endif
% for v in range(vectors):
    if (chunk * ${OB} + ${v * block} < filters) {
      const int channel = g * filters + chunk * ${OB} + ${v * block};
      const size_t plane = ((size_t)n * groups + g) * out_blocks + chunk * ${vectors} + ${v};
      const size_t at = (plane * out_pixels + first) * ${block};
      ${register_tile.store_pixels(["a%d_%d" % (p, v) for p in range(pixels)], "" if pointwise else "end - first", block,
                                  epilogue, "channel", "at")}
    }
% endfor
</%def>

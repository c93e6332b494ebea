<%doc>
The part of an image that a tile of a weight gradient reads, copied with its padding. Uses the parameters and C variables of
direct.cl.mako.
</%doc>
<%namespace name="common" file="/common.mako"/>
<%!
from clconv.lowering.model.ctext import element, load, vector_type
%>
## One pixel, of C variable `at` in the row `line`, or zero, into column c of the row `to`.
<%def name="pixel(plain, at)">\
<%
  V = vector_type(block)
%>\
% if plain:
for (int ch = 0; ch < channels; ++ch) to[c * ${in_block} + ch] = ${"0" if at is None else element("line", "ch * height * width + %s" % at, stored("x"))};
% else:
*(private ${V}*)(to + c * ${block}) = ${"(%s)(0)" % V if at is None else load(V, "line + (%s) * %d" % (at, block), stored("x"))};
% endif
</%def>
## A stretch of columns beside the image.
<%def name="beside(plain, begin, end)">\
for (int c = ${begin}; c < ${end}; ++c) {
% if pad_mode == "constant":
          ${pixel(plain, None)}
% else:
          const int iw = ${common.padded_index(pad_mode, "left + c", "width")};
          ${pixel(plain, "iw")}
% endif
        }
</%def>
<%def name="copy(plain)">
<%
  KH, KW = kernel
  SH, SW = strides
  DH, DW = dilations
%>\
      const int left = ow * ${SW} - pad_left;
      const int inside = clamp(-left, 0, pitch), inside_end = clamp(width - left, inside, pitch);
      for (int r = 0; r < (some_rows - 1) * ${SH} + ${(KH - 1) * DH + 1}; ++r) {
        private float* to = image + r * pitch * ${in_block};
        int ih = oh * ${SH} - pad_top + r;
% if pad_mode == "constant":
        if (ih < 0 || ih >= height) {
          for (int c = 0; c < pitch; ++c) {
            ${pixel(plain, None)}
          }
          continue;
        }
% elif pad_mode != "none":
        ih = ${common.padded_index(pad_mode, "ih", "height")};
% endif
        global const ${stored("x")}* line = source + ih * width * ${1 if plain else block};
        ${beside(plain, "0", "inside")}
        for (int c = inside; c < inside_end; ++c) {
          ${pixel(plain, "left + c")}
        }
        ${beside(plain, "inside_end", "pitch")}
      }
</%def>

<%doc>
The part of an image that a tile reads, copied with its padding. Uses the parameters and C variables of the kernels that
import it: weight_gradient/direct.cl.mako, weight_gradient/depthwise.cl.mako, narrow.cl.mako.
</%doc>
<%namespace name="common" file="/common.mako"/>
<%!
from clconv.lowering.model.ctext import load, vector_type
%>
## Column c of the row `to` becomes the pixel at C variable `at` of the row `line`, or zero.
<%def name="pixel(at)">\
<%
  V = vector_type(in_block)
  place = "*(private %s*)(to + c * %d)" % (V, in_block)
%>\
${place} = ${"(%s)(0)" % V if at is None else load(V, "line + (%s) * %d" % (at, in_block), stored("x"))};\
</%def>
## A stretch of columns beside the image.
<%def name="beside(begin, end)">\
for (int c = ${begin}; c < ${end}; ++c) {
% if pad_mode == "constant":
          ${pixel(None)}
% else:
          const int iw = ${common.padded_index(pad_mode, "left + c", "width")};
          ${pixel("iw")}
% endif
        }\
</%def>
## The columns of row r, which is row oh * SH - pad_top + r of the image: `beside` to both sides, C code `outside` where the
## row lies above or below the image and that is filled with zeros.
<%def name="row(to, outside)">
<%
  SH, SW = strides
  V = vector_type(block)
%>\
        private float* to = ${to};
        int ih = oh * ${SH} - pad_top + r;
% if pad_mode == "constant":
        if (ih < 0 || ih >= height) {
          ${outside}
          continue;
        }
% elif pad_mode != "none":
        ih = ${common.padded_index(pad_mode, "ih", "height")};
% endif
        global const ${stored("x")}* line = source + ih * width * ${in_block};
        ${beside("0", "inside")}
        int c = inside;
% if in_block == 1:
        for (; c + ${block} <= inside_end; c += ${block})
          *(private ${V}_u*)(to + c) = ${load(V, "line + left + c", stored("x"))};
% endif
        for (; c < inside_end; ++c) {
          ${pixel("left + c")}
        }
        ${beside("inside_end", "pitch")}
</%def>
## Which columns lie inside the image.
<%def name="columns()">
      const int left = ow * ${strides[1]} - pad_left;
      const int inside = clamp(-left, 0, pitch), inside_end = clamp(width - left, inside, pitch);
</%def>
<%def name="copy()">
<%
  KH, SH, DH = kernel[0], strides[0], dilations[0]
%>\
      ${columns()}
      for (int r = 0; r < (some_rows - 1) * ${SH} + ${(KH - 1) * DH + 1}; ++r) {
        ${row("image + r * pitch * %d" % in_block, "for (int c = 0; c < pitch; ++c) { %s }" % capture(pixel, None))}
      }
</%def>

<%doc>
Where the pixels that a tile of a direct convolution reads lie, for tiles that reach beyond the image. Uses the parameters
and C variables of direct.cl.mako.
</%doc>
<%namespace name="common" file="/common.mako"/>
## Sets column[kw][p] and row[kh][p]: offsets from the plane's start, -1 outside an image that is surrounded by zeros.
<%def name="look_up(pixels)">\
<%
  KH, KW = kernel
  SH, SW = strides
  DH, DW = dilations
  zero = pad_mode == "constant"
%>\
int pw = ow, ph = oh;
      for (int p = 0; p < ${pixels}; ++p) {
        for (int kh = 0; kh < ${KH}; ++kh) {
          const int ih = ph * ${SH} - pad_top + kh * ${DH};
% if zero:
          row[kh][p] = ih < 0 || ih >= height ? -1 : ih * width * ${in_block};
% else:
          row[kh][p] = (${common.padded_index(pad_mode, "ih", "height")}) * width * ${in_block};
% endif
        }
        for (int kw = 0; kw < ${KW}; ++kw) {
          const int iw = pw * ${SW} - pad_left + kw * ${DW};
% if zero:
          column[kw][p] = iw < 0 || iw >= width ? -1 : iw * ${in_block};
% else:
          column[kw][p] = (${common.padded_index(pad_mode, "iw", "width")}) * ${in_block};
% endif
        }
        // Pixels past the end repeat the last one.
        if (first + p + 1 < end && ++pw == out_width) { pw = 0; ++ph; }
      }
</%def>

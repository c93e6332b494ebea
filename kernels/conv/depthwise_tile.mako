<%doc>
A tile of a depthwise convolution: neighbouring columns in all rows of a band. See depthwise.cl.mako, whose parameters and C
variables it uses.
</%doc>
<%namespace name="common" file="/common.mako"/>
<%namespace name="register_tile" file="/conv/register_tile.mako"/>
<%!
from clconv.lowering.model.ctext import load, vector_type
%>
## `pixels` neighbouring columns, of which `first` is the first, in all rows of a band.
<%def name="tile(pixels)">
<%
  V, X = vector_type(block), stored("x")
  KH, KW = kernel
  SH, SW = strides
  DH, DW = dilations
  zero = pad_mode == "constant"
  columns = range((pixels - 1) * SW + (KW - 1) * DW + 1)
  ends = [c for c in columns if min(c, columns[-1] - c) < sides]
  inner = lambda c: load(V, "source + %d" % (c * block), X)
%>
## Each column under the tile is loaded once and used by every pixel whose window holds it.
<%def name="add_columns(column)">
% for c in columns:
<%
  users = [(p, kw) for p in range(pixels) for kw in range(KW) if p * SW + kw * DW == c]
%>
% if users:
        { const ${V} s = ${column(c)};
% for p, kw in users:
          a${p} = s * w${kw} + a${p};
% endfor
        }
% endif
% endfor
</%def>
    const int left = first * ${SW} - pad_left;
% if sides >= 0:
% for c in ends:
    const int column${c} = left + ${c} < 0 || left + ${c} >= width ? -1 : (left + ${c}) * ${block};
% endfor
% else:
    const int inside = left >= 0 && first + ${pixels} <= out_width && left + ${len(columns)} <= width;
% if pad_mode != "none":
    int column[${len(columns)}];
    if (!inside)
      for (int c = 0; c < ${len(columns)}; ++c) {
        // Columns that only pixels past the image would need are any that exist.
        const int iw = min(left + c, last_column);
% if zero:
        column[c] = iw < 0 || iw >= width ? -1 : iw * ${block};
% else:
        column[c] = (${common.padded_index(pad_mode, "iw", "width")}) * ${block};
% endif
      }
% endif
% endif
    for (int oh = band_begin; oh < band_end; ++oh) {
      ${V} a0 = ${load(V, "bias + chunk * %d" % block) if bias else "(%s)(0)" % V};
% for p in range(1, pixels):
      ${V} a${p} = a0;
% endfor
      for (int kh = 0; kh < ${KH}; ++kh) {
        int ih = oh * ${SH} - pad_top + kh * ${DH};
% if zero:
        if (ih < 0 || ih >= height) continue;
% elif pad_mode != "none":
        ih = ${common.padded_index(pad_mode, "ih", "height")};
% endif
        global const ${X}* line = image + (size_t)ih * width * ${block};
% for kw in range(KW):
        const ${V} w${kw} = ${load(V, "filter + (kh * %d + %d) * %d" % (KW, kw, block), stored("w"))};
% endfor
% if sides >= 0:
        global const ${X}* source = line + left * ${block};
        ${add_columns(lambda c: load(V, "column%d < 0 ? zeros : line + column%d" % (c, c), X) if c in ends else inner(c))}
% else:
        if (inside) {
          global const ${X}* source = line + left * ${block};
          ${add_columns(inner)}
        } else {
% if zero:
          ${add_columns(lambda c: load(V, "column[%d] < 0 ? zeros : line + column[%d]" % (c, c), X))}
% elif pad_mode == "none":
          ${add_columns(lambda c: load(V, "line + min(left + %d, last_column) * %d" % (c, block), X))}
% else:
          ${add_columns(lambda c: load(V, "line + column[%d]" % c, X))}
% endif
        }
% endif
      }
      const size_t at = ((((size_t)n * blocks + chunk) * out_height + oh) * out_width + first) * ${block};
      ${register_tile.store_pixels(["a%d" % p for p in range(pixels)], "" if sides >= 0 else "out_width - first", block,
                                  epilogue, "chunk * %d" % block, "at")}
    }
</%def>

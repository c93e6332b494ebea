<%doc>
The way back from windows to the pixels under them, on channel blocks for CPUs: a register tile of pixels along the width.

  dx[n, c, p] = sum over the windows o that hold p of dy[n, c, o] where p is the pixel that o chose, or of
                dy[n, c, o] * row_share[oh] * column_share[ow]

dy, taps (N, C / block, OH, OW, block): taps says of each window the number of its pixel, kh * KW + kw
dx (N, C / block, H, W, block)
One work-item computes `rows` rows of dx of one channel block of one image. Index space: (row items, C / block, N).
The windows of a pixel are added up in a fixed order.
Parameters: largest: taps choose, else shares; block 4, 8, 16; kernel, strides, dilations: (height, width).
</%doc>
<%!
from clconv.lowering.model.ctext import assign, load, vector_type
%>
<%
  V, I, B = vector_type(block), "int%d" % block, "uchar%d" % block
  KH, KW = kernel
  SH, SW = strides
  DH, DW = dilations
  # A tile is `windows` strides wide: for each of its pixels the windows, counted from the tile's, that hold it.
  windows = max(1, 4 // SW)
  pixels = windows * SW
  holding = [[(kw, (p - kw * DW) // SW) for kw in range(KW) if (p - kw * DW) % SW == 0] for p in range(pixels)]
  offsets = sorted({offset for pixel in holding for _, offset in pixel})
  low, high = (offsets[0], offsets[-1]) if offsets else (0, 0)
%>
## What the window at `offset` gives, as g (and t): to the pixel that is its number kw, along the width.
<%def name="window(offset)">\
          const ${V} g = ${load(V, "source + %s" % offset, stored("dy"))}\
% if largest:
;
          const ${I} t = __builtin_convertvector(*(global const ${B}*)(chosen + ${offset}), ${I}) - first_tap;
% else:
 * (share * column[${"(%s) / %d" % (offset, block)}]);
% endif
</%def>
<%def name="give(sum, kw)">\
% if largest:
${sum} += t == (${I})(${kw}) ? g : (${V})(0);\
% else:
${sum} += g;\
% endif
</%def>
kernel __attribute__((vec_type_hint(${V}))) void ${entry}(
    global const ${stored("dy")}* restrict dy,
% if largest:
    global const uchar* restrict taps,
% else:
    global const float* restrict row_share, global const float* restrict column_share,
% endif
    global ${stored("dx")}* restrict dx, int height, int width, int out_height, int out_width, int pad_top,
    int pad_left, int rows) {
  const size_t plane = (size_t)get_global_id(2) * get_global_size(1) + get_global_id(1);
  const int row_end = (int)get_global_id(0) * rows + min(rows, height - (int)get_global_id(0) * rows);
  for (int ih = get_global_id(0) * rows; ih < row_end; ++ih) {
    // The rows of windows that hold this row of pixels, and as which of theirs.
    int count = 0, window_row[${KH}], row_tap[${KH}];
    for (int kh = 0; kh < ${KH}; ++kh) {
      const int place = ih + pad_top - kh * ${DH};
      if (place < 0 || place % ${SH} || place / ${SH} >= out_height) continue;
      window_row[count] = place / ${SH};
      row_tap[count++] = kh * ${KW};
    }
    global ${stored("dx")}* line = dx + (plane * height + ih) * width * ${block};
    for (int begin = 0; begin * ${SW} - pad_left < width; begin += ${windows}) {
      const int left = begin * ${SW} - pad_left;
      if (left >= 0 && left + ${pixels} <= width && begin + ${low} >= 0 && begin + ${high} < out_width) {
        ${V} ${", ".join("s%d = 0" % p for p in range(pixels))};
        for (int r = 0; r < count; ++r) {
          const size_t at = ((plane * out_height + window_row[r]) * out_width + begin) * ${block};
          global const ${stored("dy")}* source = dy + at;
% if largest:
          global const uchar* chosen = taps + at;
          const int first_tap = row_tap[r];
% else:
          const float share = row_share[window_row[r]];
          global const float* column = column_share + begin;
% endif
% for offset in offsets:
          {
${window(offset * block)}\
% for p in range(pixels):
% for kw, at in holding[p]:
% if at == offset:
          ${give("s%d" % p, kw)}
% endif
% endfor
% endfor
          }
% endfor
        }
% for p in range(pixels):
        ${assign(V, "line + (size_t)(left + %d) * %d" % (p, block), "s%d" % p, stored("dx"))}
% endfor
        continue;
      }
      for (int iw = max(left, 0); iw < min(left + ${pixels}, width); ++iw) {
        ${V} sum = 0;
        for (int r = 0; r < count; ++r) {
          const size_t at = (plane * out_height + window_row[r]) * out_width * ${block};
          global const ${stored("dy")}* source = dy + at;
% if largest:
          global const uchar* chosen = taps + at;
          const int first_tap = row_tap[r];
% else:
          const float share = row_share[window_row[r]];
          global const float* column = column_share;
% endif
          for (int kw = 0; kw < ${KW}; ++kw) {
            const int place = iw + pad_left - kw * ${DW};
            if (place < 0 || place % ${SW} || place / ${SW} >= out_width) continue;
            const int ow = place / ${SW} * ${block};
${window("ow")}\
            ${give("sum", "kw")}
          }
        }
        ${assign(V, "line + (size_t)iw * %d" % block, "sum", stored("dx"))}
      }
    }
  }
}

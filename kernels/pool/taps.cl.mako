<%doc>
Max pooling that says which pixel of its window each maximum is, on channel blocks for CPUs: a register tile of `pixels`
results along the width.

  y[n, c, oh, ow]    = max over kh, kw of x[n, c, oh * S - P + kh * D, ...]
  taps[n, c, oh, ow] = kh * KW + kw of the first of equal maxima; 255 where the window holds no pixel

x (N, C / block, H, W, block)    y, taps (N, C / block, OH, OW, block)
One work-item computes `rows` output rows of one channel block of one image. Index space: (row items, C / block, N).
A NaN is larger than anything. Parameters: block 4, 8, 16; pixels; kernel, strides, dilations: (height, width).
</%doc>
<%!
from clconv.lowering.model.ctext import assign, load, vector_type
%>
<%
  V, I, B = vector_type(block), "int%d" % block, "uchar%d" % block
  KH, KW = kernel
  SH, SW = strides
  DH, DW = dilations
  unroll = KW <= 8
%>
## Takes a pixel, at C text `source`, into result p as number `tap` of its window.
<%def name="take(p, source, tap)">\
{ const ${V} v = ${load(V, source, stored("x"))}; const ${I} larger = (v > a${p}) | (v != v);
  a${p} = larger ? v : a${p}; t${p} = larger ? (${I})(${tap}) : t${p}; }\
</%def>
<%def name="finish(p, at)">\
${assign(V, "y + " + at, "a%d" % p, stored("y"))}
*(global ${B}*)(taps + ${at}) = __builtin_convertvector(t${p}, ${B});\
</%def>
kernel __attribute__((vec_type_hint(${V}))) void ${entry}(
    global const ${stored("x")}* restrict x, global ${stored("y")}* restrict y, global uchar* restrict taps, int height,
    int width, int out_height, int out_width, int pad_top, int pad_left, int rows) {
  const size_t plane = (size_t)get_global_id(2) * get_global_size(1) + get_global_id(1);
  global const ${stored("x")}* image = x + plane * height * width * ${block};
  const int row_end = (int)get_global_id(0) * rows + min(rows, out_height - (int)get_global_id(0) * rows);
  for (int oh = get_global_id(0) * rows; oh < row_end; ++oh) {
    // Rows of the window that lie on the image.
    const int top = oh * ${SH} - pad_top;
    const int first_row = top < 0 ? (${DH - 1} - top) / ${DH} : 0;
    const int last_row = top < height ? min((height - 1 - top) / ${DH}, ${KH - 1}) : -1;
    const size_t line_out = (plane * out_height + oh) * out_width;
    for (int tile = 0; tile < out_width; tile += ${pixels}) {
      // The last tile of a row moves back so that it is full; it computes some pixels again.
      const int first = max(min(tile, out_width - ${pixels}), 0);
      const int left = first * ${SW} - pad_left;
      if (left >= 0 && first + ${pixels} <= out_width && left + ${(pixels - 1) * SW + (KW - 1) * DW} < width
          && first_row <= last_row) {
        global const ${stored("x")}* corner = image + ((size_t)(top + first_row * ${DH}) * width + left) * ${block};
% for p in range(pixels):
        ${V} a${p} = ${load(V, "corner + %d" % (p * SW * block), stored("x"))};
        ${I} t${p} = (${I})(first_row * ${KW});
% endfor
        for (int kh = first_row; kh <= last_row; ++kh) {
          global const ${stored("x")}* source = image + ((size_t)(top + kh * ${DH}) * width + left) * ${block};
% if unroll:
% for kw in range(KW):
% for p in range(pixels):
          ${take(p, "source + %d" % ((p * SW + kw * DW) * block), "kh * %d + %d" % (KW, kw))}
% endfor
% endfor
% else:
          for (int kw = 0; kw < ${KW}; ++kw) {
% for p in range(pixels):
            ${take(p, "source + kw * %d + %d" % (DW * block, p * SW * block), "kh * %d + kw" % KW)}
% endfor
          }
% endif
        }
        const size_t at = (line_out + first) * ${block};
% for p in range(pixels):
        ${finish(p, "at + %d" % (p * block))}
% endfor
        continue;
      }
      for (int ow = first; ow < min(first + ${pixels}, out_width); ++ow) {
        const int begin = ow * ${SW} - pad_left;
        const int first_column = begin < 0 ? (${DW - 1} - begin) / ${DW} : 0;
        const int last_column = begin < width ? min((width - 1 - begin) / ${DW}, ${KW - 1}) : -1;
        ${V} a0 = (${V})(-INFINITY);
        ${I} t0 = (${I})(255);
        if (first_row <= last_row && first_column <= last_column) {
          a0 = ${load(V, "image + ((size_t)(top + first_row * %d) * width + begin + first_column * %d) * %d" % (DH, DW, block), stored("x"))};
          t0 = (${I})(first_row * ${KW} + first_column);
        }
        for (int kh = first_row; kh <= last_row; ++kh)
          for (int kw = first_column; kw <= last_column; ++kw)
            ${take(0, "image + ((size_t)(top + kh * %d) * width + begin + kw * %d) * %d" % (DH, DW, block), "kh * %d + kw" % KW)}
        const size_t at = (line_out + ow) * ${block};
        ${finish(0, "at")}
      }
    }
  }
}

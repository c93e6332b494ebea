<%doc>
Pooling on channel blocks for CPUs: a register tile of `pixels` results along the width.

  y[n, c, oh, ow] = max, mean or p-norm over kh, kw of x[n, c, oh * S - P + kh * D, ...]

x (N, C / block, H, W, block)    y (N, C / block, OH, OW, block)
One work-item computes `rows` output rows of one channel block of one image.
Index space: (row items, C / block, N).
Pixels of padding "constant" are left out (an average counts them with count_pads); of the other modes they
are image values. What a window of ceil mode covers beyond the padded image is left out.

Parameters: kind max, average, lp with power; block 4, 8, 16; pixels; unroll: the window's width, else a loop;
kernel, strides, dilations: (height, width); pad_mode none, constant, reflect, edge, wrap; epilogue.
</%doc>
<%namespace name="common" file="/common.mako"/>
<%namespace name="pieces" file="/pool/pieces.mako"/>
<%!
from clconv.lowering.model.ctext import assign, load, vector_type
%>
<%
  V = vector_type(block)
  KH, KW = kernel
  SH, SW = strides
  DH, DW = dilations
  start = "(%s)(%s)" % (V, "-INFINITY" if kind == "max" else "0")
  average = kind == "average"
  # The pixels of a tile's columns, each of them read once and put together before windows are made of whole columns.
  columns = sorted({p * SW + kw * DW for p in range(pixels) for kw in range(KW)}) if unroll else []
  by_columns = kind != "lp" and columns and len(columns) * KH + pixels * KW < pixels * KW * KH
  sums = ["c%d" % c for c in columns] if by_columns else ["a%d" % p for p in range(pixels)]
%>
## Leaves the loop's turn if `index` lies on no pixel, else folds it into the image.
<%def name="fold(index, size, end)">
% if pad_mode == "constant":
        if (${index} < 0 || ${index} >= ${size}) continue;
% elif pad_mode != "none":
        if (${index} >= ${size} + ${end}) continue;
        ${index} = ${common.padded_index(pad_mode, index, size)};
% endif
</%def>
<%def name="finish(sum, count, at)">
      ${pieces.finish(kind, power, V, sum, count)}
      ${common.apply_epilogue(epilogue, sum, V, "chunk * %d" % block, at)}
      ${assign(V, "y + " + at, sum, stored("y"))}
</%def>
kernel __attribute__((vec_type_hint(${V}))) void ${entry}(
    global const ${stored("x")}* restrict x, global ${stored("y")}* restrict y, int height, int width, int out_height,
    int out_width, int pad_top, int pad_left, int pad_bottom, int pad_right,
    int rows${common.epilogue_parameters(epilogue_names)}) {
  const int chunk = get_global_id(1);
  const size_t plane = (size_t)get_global_id(2) * get_global_size(1) + chunk;
  global const ${stored("x")}* image = x + plane * height * width * ${block};
  const int row_end = (int)get_global_id(0) * rows + min(rows, out_height - (int)get_global_id(0) * rows);
% if average:
  const int lowest_row = ${"-pad_top" if count_pads else 0};
  const int row_limit = height${" + pad_bottom" if count_pads else ""};
  const int lowest_column = ${"-pad_left" if count_pads else 0};
  const int column_limit = width${" + pad_right" if count_pads else ""};
% endif
  for (int oh = get_global_id(0) * rows; oh < row_end; ++oh) {
    const int top = oh * ${SH} - pad_top;
    const size_t line_out = (plane * out_height + oh) * out_width;
% if average:
    int row_count = 0;
    for (int kh = 0; kh < ${KH}; ++kh)
      row_count += top + kh * ${DH} >= lowest_row && top + kh * ${DH} < row_limit;
% endif
    for (int tile = 0; tile < out_width; tile += ${pixels}) {
      // The last tile of a row moves back so that it is full; it computes some pixels again.
      const int first = max(min(tile, out_width - ${pixels}), 0);
      const int left = first * ${SW} - pad_left;
      if (left >= 0 && first + ${pixels} <= out_width && left + ${(pixels - 1) * SW + (KW - 1) * DW} < width) {
        ${V} ${", ".join("%s = %s" % (sum, start) for sum in sums)};
        for (int kh = 0; kh < ${KH}; ++kh) {
          int ih = top + kh * ${DH};
          ${fold("ih", "height", "pad_bottom")}
          global const ${stored("x")}* source = image + ((size_t)ih * width + left) * ${block};
% if by_columns:
% for c in columns:
          ${pieces.take(kind, power, V, "c%d" % c, load(V, "source + %d" % (c * block), stored("x")))}
% endfor
% elif unroll:
% for kw in range(KW):
% for p in range(pixels):
          ${pieces.take(kind, power, V, "a%d" % p, load(V, "source + %d" % ((p * SW + kw * DW) * block), stored("x")))}
% endfor
% endfor
% else:
          for (int kw = 0; kw < ${KW}; ++kw) {
% for p in range(pixels):
            ${pieces.take(kind, power, V, "a%d" % p, load(V, "source + kw * %d + %d" % (DW * block, p * SW * block), stored("x")))}
% endfor
          }
% endif
        }
        const size_t at = (line_out + first) * ${block};
% if by_columns:
% for p in range(pixels):
        ${V} a${p} = c${p * SW};
% for kw in range(1, KW):
        ${pieces.take(kind, power, V, "a%d" % p, "c%d" % (p * SW + kw * DW))}
% endfor
% endfor
% endif
% for p in range(pixels):
        ${finish("a%d" % p, "row_count * %d" % KW, "at + %d" % (p * block))}
% endfor
        continue;
      }
      for (int ow = first; ow < min(first + ${pixels}, out_width); ++ow) {
        ${V} a = ${start};
        const int begin = ow * ${SW} - pad_left;
        for (int kh = 0; kh < ${KH}; ++kh) {
          int ih = top + kh * ${DH};
          ${fold("ih", "height", "pad_bottom")}
          for (int kw = 0; kw < ${KW}; ++kw) {
            int iw = begin + kw * ${DW};
            ${fold("iw", "width", "pad_right")}
            ${pieces.take(kind, power, V, "a", load(V, "image + ((size_t)ih * width + iw) * %d" % block, stored("x")))}
          }
        }
% if average:
        int count = 0;
        for (int kw = 0; kw < ${KW}; ++kw)
          count += begin + kw * ${DW} >= lowest_column && begin + kw * ${DW} < column_limit;
% endif
        const size_t at = (line_out + ow) * ${block};
        ${finish("a", "row_count * count", "at")}
      }
    }
  }
}

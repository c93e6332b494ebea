<%doc>
Pooling on plain images for CPUs, without channel blocks to be made before: first each column of pixels, then windows of columns.

  y[n, c, oh, ow] = max or mean over kh, kw of x[n, c, oh * S - P + kh * D, ...]

x (N, C, H, W)    y (N, C, OH, OW)
One work-item computes `rows` output rows of one channel of one image, `chunk` results of a row at a time, which are at least
`lanes` and at most `most_results`. Index space: (row items, C, N).
Pixels of padding are left out (an average counts them with count_pads), and so is what a window of ceil mode covers beyond. What
remains of a row or a chunk beside whole vectors is computed by one that moves back.

Parameters: kind max, average; lanes of vectors 4, 8, 16; kernel, strides, dilations: (height, width), strides up to 2 along the
width; most_results; count_pads; epilogue.
</%doc>
<%namespace name="common" file="/common.mako"/>
<%namespace name="pieces" file="/pool/pieces.mako"/>
<%!
from clconv.lowering.model.ctext import assign, load, vector_type
%>
<%
  V = vector_type(lanes)
  KH, KW = kernel
  SH, SW = strides
  DH, DW = dilations
  start = "-INFINITY" if kind == "max" else "0"
  average = kind == "average"
  far = (KW - 1) * DW

  def every_second(kw, first):
      """Of the pair of vectors. One by one: Oclgrind ends where halves of vectors are put together."""
      lanes_of = lambda name: ["%s%d.s%x" % (name, kw, i) for i in range(first, lanes, 2)]
      return "(%s)(%s)" % (V, ", ".join(lanes_of("low") + lanes_of("high")))
%>
## One column of pixels, or as many as the type has lanes, at column `at` of the image.
<%def name="column(type, at)">
      ${type} a = ${start};
      if (is_whole) {
% for kh in range(KH):
        ${pieces.take(kind, 1, type, "a", load(type, "top_line + %d * width + %s" % (kh * DH, at), stored("x")))}
% endfor
      } else {
        for (int kh = first_row; kh <= last_row; ++kh) {
          ${pieces.take(kind, 1, type, "a", load(type, "top_line + (long)(kh * %d) * width + %s" % (DH, at), stored("x")))}
        }
      }
</%def>
kernel __attribute__((vec_type_hint(${V}))) void ${entry}(
    global const ${stored("x")}* restrict x, global ${stored("y")}* restrict y, int height, int width, int out_height,
    int out_width, int pad_top, int pad_left, int pad_bottom, int pad_right, int rows,
    int chunk${common.epilogue_parameters(epilogue_names)}) {
  const int channel = get_global_id(1);
  const size_t plane = (size_t)get_global_id(2) * get_global_size(1) + channel;
  global const ${stored("x")}* image = x + plane * height * width;
  const int row_end = (int)get_global_id(0) * rows + min(rows, out_height - (int)get_global_id(0) * rows);
% if average:
  const int lowest_row = ${"-pad_top" if count_pads else 0};
  const int row_limit = height${" + pad_bottom" if count_pads else ""};
  const int lowest_column = ${"-pad_left" if count_pads else 0};
  const int column_limit = width${" + pad_right" if count_pads else ""};
  float counts[${most_results}];
% endif
  // Of what a chunk's windows cover; with stride 2 vectors are read in pairs.
  float columns[${(most_results - 1) * SW + far + 1 + SW}];
  for (int place = 0; place < out_width; place += chunk) {
    const int first = min(place, out_width - chunk), left = first * ${SW} - pad_left;
    const int covered = (chunk - 1) * ${SW} + ${far + 1};
    // The columns that lie on the image, counted from the first that is covered.
    const int begin = min(max(-left, 0), covered), end = max(min(width - left, covered), begin);
    for (int i = 0; i < begin; ++i) columns[i] = ${start};
    for (int i = end; i < covered + ${SW - 1}; ++i) columns[i] = ${start};
% if average:
    for (int i = 0; i < chunk; ++i) {
      int count = 0;
      for (int kw = 0; kw < ${KW}; ++kw) {
        const int iw = left + i * ${SW} + kw * ${DW};
        count += iw >= lowest_column && iw < column_limit;
      }
      counts[i] = count;
    }
% endif
    for (int oh = get_global_id(0) * rows; oh < row_end; ++oh) {
      const int top = oh * ${SH} - pad_top;
      // Rows of the window that lie on the image.
      const int first_row = top < 0 ? (${DH - 1} - top) / ${DH} : 0;
      const int last_row = top < height ? min((height - 1 - top) / ${DH}, ${KH - 1}) : -1;
      const int is_whole = first_row == 0 && last_row == ${KH - 1};
      global const ${stored("x")}* top_line = image + (long)top * width + left;
      for (int i = begin; end - begin >= ${lanes} && i < end; i += ${lanes}) {
        const int at = min(i, end - ${lanes});
        ${column(V, "at")}
        *(${V}_u*)(columns + at) = a;
      }
      for (int i = end - begin >= ${lanes} ? end : begin; i < end; ++i) {
        ${column("float", "i")}
        columns[i] = a;
      }
% if average:
      int row_count = 0;
      for (int kh = 0; kh < ${KH}; ++kh)
        row_count += top + kh * ${DH} >= lowest_row && top + kh * ${DH} < row_limit;
% endif
      for (int i = 0; i < chunk; i += ${lanes}) {
        const int to = min(i, chunk - ${lanes});
        const float* from = columns + to * ${SW};
        ${V} a = ${start};
% for kw in range(KW):
% if SW == 1:
        ${pieces.take(kind, 1, V, "a", "*(const %s_u*)(from + %d)" % (V, kw * DW))}
% elif kw % 2 == 0 or DW != 1:
        const ${V} low${kw} = *(const ${V}_u*)(from + ${kw * DW}), high${kw} = *(const ${V}_u*)(from + ${kw * DW + lanes});
        ${pieces.take(kind, 1, V, "a", every_second(kw, 0))}
% else:
        ${pieces.take(kind, 1, V, "a", every_second(kw - 1, 1))}
% endif
% endfor
% if average:
        const ${V} count = *(const ${V}_u*)(counts + to) * row_count;
        a = a / (count > 1 ? count : 1);
% endif
        const size_t at = (plane * out_height + oh) * out_width + first + to;
        ${common.apply_epilogue(epilogue, "a", V, "channel", "at", one_channel=True)}
        ${assign(V, "y + at", "a", stored("y"))}
      }
    }
  }
}

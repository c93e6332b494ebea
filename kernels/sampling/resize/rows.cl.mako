<%doc>
Interpolation along height and width of plain planes, `width` neighbouring columns at a time, on CPUs; the rows
of a volume are one height.

  y[p, oh, ow] = sum over i, j of row_weight[oh, i] * column_weight[j, ow] * x[p, row_index[oh, i], column_index[j, ow]]

x (planes, H, W)   y (planes, OH, OW), OW >= width
row_index, row_weight (OH, row_taps)   column_index, column_weight (column_taps, OW)
One work-item computes `rows` output rows of one plane; index space: (row items, planes). Without weights, a row of the same
pixels as the one before is copied from there.
Parameters: width, a power of two; weighted: whether there are weights (else one tap); times: how often each pixel of a row
stands one behind the other, where that is so and divides the width; 0: as column_index says.
</%doc>
<%!
from clconv.lowering.model.ctext import assign, element, load, vector_type
%>
<%
  V = vector_type(width)
  N = vector_type(width // times) if times else V
  # The last columns again where fewer are left.
  last_again = "step < out_width - %d ? step : out_width - %d" % (width, width)
  # By clang's builtin: of a list of elements LLVM 14 makes moves of single ones.
  spread = "(%s)(pixels)" % V
  if times and width > times:
      spread = "__builtin_shufflevector(pixels, pixels, %s)" % ", ".join(str(lane // times) for lane in range(width))
  gathered = ", ".join(element("line", "column[%d]" % lane, stored("x")) for lane in range(width))
%>
kernel __attribute__((vec_type_hint(${V}))) void ${entry}(
    global const ${stored("x")}* restrict x, global const int* restrict row_index,
    global const int* restrict column_index,
% if weighted:
    global const float* restrict row_weight, global const float* restrict column_weight,
    int row_taps, int column_taps,
% endif
    global ${stored("y")}* restrict y, int in_height, int in_width, int out_height, int out_width, int rows) {
  const size_t plane = get_global_id(1);
  global const ${stored("x")}* image = x + plane * in_height * in_width;
  const int row_end = (int)get_global_id(0) * rows + min(rows, out_height - (int)get_global_id(0) * rows);
  const int row_begin = get_global_id(0) * rows;
  for (int oh = row_begin; oh < row_end; ++oh) {
    global ${stored("y")}* target = y + (plane * out_height + oh) * out_width;
% if not weighted:
    const bool again = oh > row_begin && row_index[oh] == row_index[oh - 1];
    for (int step = 0; again && step < out_width; step += ${width}) {
      const int ow = ${last_again};
      ${assign(V, "target + ow", load(V, "target - out_width + ow", stored("y")), stored("y"))}
    }
    if (again) continue;
    global const ${stored("x")}* line = image + (size_t)row_index[oh] * in_width;
% endif
    for (int step = 0; step < out_width; step += ${width}) {
      const int ow = ${last_again};
% if weighted:
      ${V} sum = (${V})(0);
      for (int j = 0; j < column_taps; ++j) {
        global const int* column = column_index + (size_t)j * out_width + ow;
        ${V} across = (${V})(0);
        for (int i = 0; i < row_taps; ++i) {
          global const ${stored("x")}* line = image + (size_t)row_index[oh * row_taps + i] * in_width;
          across += row_weight[oh * row_taps + i] * (${V})(${gathered});
        }
        sum += ${load(V, "column_weight + (size_t)j * out_width + ow")} * across;
      }
      ${assign(V, "target + ow", "sum", stored("y"))}
% elif times:
      const ${N} pixels = ${load(N, "line + ow / %d" % times, stored("x"))};
      ${assign(V, "target + ow", spread, stored("y"))}
% else:
      global const int* column = column_index + ow;
      ${assign(V, "target + ow", "(%s)(%s)" % (V, gathered), stored("y"))}
% endif
    }
  }
}

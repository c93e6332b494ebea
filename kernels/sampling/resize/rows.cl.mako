<%doc>
Interpolation along height and width of few plain planes, `width` neighbouring columns at a time, on CPUs; the rows
of a volume are one height.

  y[p, oh, ow] = sum over i, j of row_weight[oh, i] * column_weight[j, ow] * x[p, row_index[oh, i], column_index[j, ow]]

x (planes, H, W)   y (planes, OH, OW), OW >= width
row_index, row_weight (OH, row_taps)   column_index, column_weight (column_taps, OW)
One work-item computes `rows` output rows of one plane; index space: (row items, planes).
Parameters: width, a power of two; weighted: whether there are weights (else one tap).
</%doc>
<%!
from clconv.lowering.model.ctext import assign, element, load, vector_type
%>
<%
  V = vector_type(width)
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
  for (int oh = get_global_id(0) * rows; oh < row_end; ++oh) {
    global ${stored("y")}* target = y + (plane * out_height + oh) * out_width;
    for (int step = 0; step < out_width; step += ${width}) {
      const int ow = min(step, out_width - ${width}); // the last columns again where fewer are left
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
% else:
      global const int* column = column_index + ow;
      global const ${stored("x")}* line = image + (size_t)row_index[oh] * in_width;
      ${assign(V, "target + ow", "(%s)(%s)" % (V, gathered), stored("y"))}
% endif
    }
  }
}

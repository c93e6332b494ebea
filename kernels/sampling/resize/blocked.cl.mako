<%doc>
Nearest, linear or cubic interpolation along height and width, on channel blocks for CPUs; the rows of a volume are
one height.

  y[n, c, oh, ow] = sum over i, j of row_weight[oh, i] * column_weight[ow, j]
                    * x[n, c, row_index[oh, i], column_index[ow, j]]

x (N, C / block, H, W, block)    y (N, C / block, OH, OW, block)
row_index, row_weight (OH, TH)   column_index (times block), column_weight (OW, TW)
One work-item computes `rows` output rows of one channel block; index space: (row items, C / block, N).
Parameters: block 4, 8, 16; taps (TH, TW); weighted: whether there are weights (else TH = TW = 1).
</%doc>
<%!
from clconv.lowering.model.ctext import assign, load, vector_type
%>
<%
  V = vector_type(block)
  TH, TW = taps
%>
kernel __attribute__((vec_type_hint(${V}))) void ${entry}(
    global const ${stored("x")}* restrict x, global const int* restrict row_index,
    global const int* restrict column_index,
% if weighted:
    global const float* restrict row_weight, global const float* restrict column_weight,
% endif
    global ${stored("y")}* restrict y, int in_height, int in_width, int out_height, int out_width, int rows) {
  const size_t plane = (size_t)get_global_id(2) * get_global_size(1) + get_global_id(1);
  global const ${stored("x")}* image = x + plane * in_height * in_width * ${block};
  const int row_end = (int)get_global_id(0) * rows + min(rows, out_height - (int)get_global_id(0) * rows);
  for (int oh = get_global_id(0) * rows; oh < row_end; ++oh) {
% for i in range(TH):
    global const ${stored("x")}* line${i} = image + (size_t)row_index[oh * ${TH} + ${i}] * in_width * ${block};
% if weighted:
    const float row${i} = row_weight[oh * ${TH} + ${i}];
% endif
% endfor
    global ${stored("y")}* target = y + (plane * out_height + oh) * out_width * ${block};
    for (int ow = 0; ow < out_width; ++ow) {
% if weighted:
      ${V} sum = (${V})(0);
% for j in range(TW):
      {
        const int column = column_index[ow * ${TW} + ${j}];
        sum += column_weight[ow * ${TW} + ${j}]
            * (${" + ".join("row%d * %s" % (i, load(V, "line%d + column" % i, stored("x"))) for i in range(TH))});
      }
% endfor
      ${assign(V, "target + ow * %d" % block, "sum", stored("y"))}
% else:
      ${assign(V, "target + ow * %d" % block, load(V, "line0 + column_index[ow]", stored("x")), stored("y"))}
% endif
    }
  }
}

<%doc>
Interpolation of plain planes along height, then width, for kernels that reach over many pixels, as those of antialiasing
do; the rows of a volume are one height. For CPUs.

  line[w]      = sum over i of row_weight[oh, i] * x[p, row_index[oh, i], w]
  y[p, oh, ow] = sum over j of column_weight[j, ow] * line[column_index[j, ow]]

x (planes, H, W), W >= width   y (planes, OH, OW), OW >= width   line: W sums for each item
row_index, row_weight (OH, row_taps)   column_index, column_weight (column_taps, OW)
One work-item computes `rows` output rows of one plane; index space: (row items, planes).
Parameters: type of the elements; sum_type float or double; width: columns at a time.
</%doc>
<%!
from clconv.lowering.model.ctext import element, set_element
%>
<%
  x_type, y_type = stored("x", type), stored("y", type)
  lanes = lambda count: "for (int lane = 0; lane < %d; ++lane)" % count
%>
## The sums of `count` columns from `first` on.
<%def name="down(count, first)">
        {
          const int begin = ${first};
          ${sum_type} sums[${count}];
          ${lanes(count)} sums[lane] = 0;
          for (int i = 0; i < row_taps; ++i) {
            global const ${x_type}* source = image + (size_t)index[i] * in_width + begin;
            const ${sum_type} factor = weight[i];
            ${lanes(count)} sums[lane] += factor * ${element("source", "lane", x_type)};
          }
          ${lanes(count)} line[begin + lane] = sums[lane];
        }
</%def>
kernel void ${entry}(
    global const ${x_type}* restrict x, global const int* restrict row_index, global const int* restrict column_index,
    global const ${sum_type}* restrict row_weight, global const ${sum_type}* restrict column_weight, int row_taps,
    int column_taps, global ${sum_type}* restrict lines, global ${y_type}* restrict y, int in_height, int in_width,
    int out_height, int out_width, int rows) {
  const size_t plane = get_global_id(1);
  global const ${x_type}* image = x + plane * in_height * in_width;
  global ${sum_type}* line = lines + (plane * get_global_size(0) + get_global_id(0)) * in_width;
  const int row_end = min((int)(get_global_id(0) + 1) * rows, out_height);
  for (int oh = get_global_id(0) * rows; oh < row_end; ++oh) {
    global const int* index = row_index + (size_t)oh * row_taps;
    global const ${sum_type}* weight = row_weight + (size_t)oh * row_taps;
    int w = 0;
    for (; w + ${4 * width} <= in_width; w += ${4 * width})
      ${down(4 * width, "w")}
    for (; w < in_width; w += ${width}) // the last columns again where fewer are left
      ${down(width, "min(w, in_width - %d)" % width)}
    global ${y_type}* target = y + (plane * out_height + oh) * out_width;
    for (int step = 0; step < out_width; step += ${width}) {
      const int ow = min(step, out_width - ${width});
      ${sum_type} sums[${width}];
      ${lanes(width)} sums[lane] = 0;
      for (int j = 0; j < column_taps; ++j) {
        global const int* column = column_index + (size_t)j * out_width + ow;
        global const ${sum_type}* factor = column_weight + (size_t)j * out_width + ow;
        ${lanes(width)} sums[lane] += factor[lane] * line[column[lane]];
      }
      ${lanes(width)} { ${set_element("target", "ow + lane", "(%s)sums[lane]" % type, y_type)} }
    }
  }
}

<%doc>
Matrix product of integers, summed exactly.

  sum[m, n] = sum over k of (x[m, k] - x_zero[m]) * (w[k, n] - w_zero[n])

y = sum, or saturate(rint(sum * x_scale[m] * w_scale[n] / y_scale) + y_zero).
x (.., rows, inner)   w (.., inner, columns)   y (batch, rows, columns)   point_rows: rows of one matrix of x
x_batches, w_batches: matrices of x and w for each of y.
One item computes `chunk` columns of one row, TILE at a time in registers. Index space: (column items, rows, batch).
Parameters: x_type, w_type, target; points and scales: see pieces.mako; batched; tile.
</%doc>
<%namespace name="pieces" file="/quantised/product/pieces.mako"/>
kernel void ${entry}(
    global const ${x_type}* restrict x, global const ${w_type}* restrict w\
${pieces.point_parameters(x_type, w_type, points)}\
% if scaled:
${pieces.scale_parameters(scale_type, target)}\
% endif
% if batched:
, global const int* restrict x_batches, global const int* restrict w_batches\
% endif
, global ${target}* restrict y, int rows, int inner, int columns, int point_rows, int chunk) {
  const int m = get_global_id(1);
  const size_t batch = get_global_id(2);
% if batched:
  global const ${x_type}* left = x + ((size_t)x_batches[batch] * rows + m) * inner;
  global const ${w_type}* right = w + (size_t)w_batches[batch] * inner * columns;
% else:
  global const ${x_type}* left = x + (size_t)m * inner;
  global const ${w_type}* right = w;
% endif
  global ${target}* result = y + (batch * rows + m) * columns;
  const int row = m % point_rows;
  const int x_point = ${pieces.point("x_zero", points[0], "row")};
  const int begin = get_global_id(0) * chunk, end = begin + min(chunk, columns - begin);
  for (int n = begin; n < end; n += ${tile}) {
    const int count = min(${tile}, end - n);
    int sums[${tile}], w_points[${tile}];
    for (int t = 0; t < ${tile}; ++t) {
      sums[t] = 0;
      w_points[t] = t < count ? ${pieces.point("w_zero", points[1], "n + t")} : 0;
    }
    if (count == ${tile}) {
      for (int k = 0; k < inner; ++k) {
        const int value = left[k] - x_point;
        global const ${w_type}* line = right + (size_t)k * columns + n;
        for (int t = 0; t < ${tile}; ++t) sums[t] += value * (line[t] - w_points[t]);
      }
    } else {
      for (int k = 0; k < inner; ++k) {
        const int value = left[k] - x_point;
        global const ${w_type}* line = right + (size_t)k * columns + n;
        for (int t = 0; t < count; ++t) sums[t] += value * (line[t] - w_points[t]);
      }
    }
    for (int t = 0; t < count; ++t) {
% if scaled:
      ${pieces.factor("factor", scale_type, compute, wide, quotient, "row" if many_rows else "0",
                      "n + t" if many_columns else "0")}
      ${pieces.store(target, wide, "result[n + t]", "sums[t]", "factor", low, high)}
% else:
      result[n + t] = sums[t];
% endif
    }
  }
}

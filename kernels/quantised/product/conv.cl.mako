<%doc>
Convolution of integers by its definition, summed exactly; pads are zero points, which add nothing.

  sum[n, f, o] = bias[f] + sum over c, k of (w[f, c, k] - w_zero[f]) * (x[n, g * C + c, i] - x_zero)

with i = o * stride + k * dilation - pad. y = sum, or saturate(rint(sum * x_scale * w_scale[f] / y_scale) + y_zero).
x (N, group * C, size...)   w (filters, C, kernel...)   bias (filters)   y (N, filters, out...), plain
rows = product of all out but the last. One item computes `columns` pixels of one row of one filter, TILE at a time in
registers. Index space: (column items * rows, filters, N).
Parameters: spatial axes; x_type, w_type, target; bias; points and scales: see pieces.mako; tile; inside: the last axis
has a stride of 1, so that a tile reads neighbours.
</%doc>
<%namespace name="pieces" file="/quantised/product/pieces.mako"/>
<%
  axes = range(spatial)
  last = spatial - 1
%>
kernel void ${entry}(
    global const ${x_type}* restrict x, global const ${w_type}* restrict w\
${pieces.point_parameters(x_type, w_type, points)}\
% if scaled:
${pieces.scale_parameters(scale_type, target)}\
% endif
% if bias:
, global const int* restrict bias\
% endif
, global ${target}* restrict y, int channels, int filters, int group
% for what in ("size", "out", "kernel", "stride", "dilation", "pad"):
% for i in axes:
    , int ${what}${i}
% endfor
% endfor
    , int columns, int parts) {
  const int f = get_global_id(1);
  const int n = get_global_id(2);
  int rest = get_global_id(0);
  const int begin = rest % parts * columns;
  const int end = begin + min(columns, out${last} - begin);
  rest /= parts;
  size_t target = (size_t)n * filters + f;
% for i in list(axes)[:-1]:
  target *= out${i};
% endfor
  target = (target + rest) * out${last};
% for i in reversed(list(axes)[:-1]):
  const int o${i} = rest % out${i}; rest /= out${i};
% endfor
  const int first = f / (filters / group) * channels;
  const int x_point = ${pieces.point("x_zero", points[0], "0")}, w_point = ${pieces.point("w_zero", points[1], "f")};
% if scaled:
  ${pieces.factor("factor", scale_type, compute, wide, quotient, "0", "f" if many_scales else "0")}
% endif
  for (int o = begin; o < end; o += ${tile}) {
    int sums[${tile}];
    for (int t = 0; t < ${tile}; ++t) sums[t] = ${"bias[f]" if bias else "0"};
    for (int c = 0; c < channels; ++c) {
      size_t plane = (size_t)n * group * channels + first + c;
      size_t tap = (size_t)f * channels + c;
% for i in axes:
      plane *= size${i}; tap *= kernel${i};
% endfor
% for i in list(axes)[:-1]:
      for (int k${i} = 0; k${i} < kernel${i}; ++k${i}) {
        const int i${i} = o${i} * stride${i} + k${i} * dilation${i} - pad${i};
        if (i${i} < 0 || i${i} >= size${i}) continue;
% endfor
<%
  source, weight = ("i0", "k0") if last else ("0", "0")
  for i in list(axes)[1:-1]:
      source = "(%s) * size%d + i%d" % (source, i, i)
      weight = "(%s) * kernel%d + k%d" % (weight, i, i)
%>
        global const ${x_type}* line = x + plane + (size_t)(${source}) * size${last};
        global const ${w_type}* taps = w + tap + (${weight}) * kernel${last};
        for (int k = 0; k < kernel${last}; ++k) {
          const int weight = taps[k] - w_point;
          const int start = o * stride${last} + k * dilation${last} - pad${last};
          const int stop = start + ${tile - 1} * stride${last};
          if (start >= 0 && stop < size${last}) {
            for (int t = 0; t < ${tile}; ++t)
              sums[t] += weight * (line[start + t${"" if inside else " * stride%d" % last}] - x_point);
          } else {
            for (int t = 0; t < ${tile}; ++t) {
              const int at = start + t * stride${last};
              if (at >= 0 && at < size${last}) sums[t] += weight * (line[at] - x_point);
            }
          }
        }
% for i in list(axes)[:-1]:
      }
% endfor
    }
    for (int t = 0; t < ${tile} && o + t < end; ++t) {
% if scaled:
      ${pieces.store(target, wide, "y[target + o + t]", "sums[t]", "factor", low, high)}
% else:
      y[target + o + t] = sums[t];
% endif
    }
  }
}

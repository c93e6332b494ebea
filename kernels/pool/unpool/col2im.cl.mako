<%doc>
y[n, c, p] = sum of x[n, c, k, o] over window positions k and columns o with o * stride + k * dilation - pad = p.

x (planes, window..., count...)   y (planes, size...)   planes = N * C
One item does `per_item` elements of y; index space: (total / per_item).
Parameters: type; sum_type; spatial axes.
</%doc>
<%
  axes = range(spatial)
%>
kernel void ${entry}(
    global const ${type}* restrict x, global ${type}* restrict y
% for what in ("size", "window", "count", "stride", "dilation", "pad"):
% for i in axes:
    , int ${what}${i}
% endfor
% endfor
    , long total, long per_item) {
  const long begin = get_global_id(0) * per_item;
  const long end = begin + per_item < total ? begin + per_item : total;
  for (long at = begin; at < end; ++at) {
    long rest = at;
% for i in reversed(axes):
    const int p${i} = rest % size${i} + pad${i}; rest /= size${i};
% endfor
    ${sum_type} sum = 0;
% for i in axes:
    for (int k${i} = 0; k${i} < window${i}; ++k${i}) {
      const int d${i} = p${i} - k${i} * dilation${i}, o${i} = d${i} / stride${i};
      if (d${i} < 0 || d${i} % stride${i} || o${i} >= count${i}) continue;
% endfor
      long place = rest;
% for i in axes:
      place = place * window${i} + k${i};
% endfor
% for i in axes:
      place = place * count${i} + o${i};
% endfor
      sum += x[place];
% for i in axes:
    }
% endfor
    y[at] = (${type})sum;
  }
}

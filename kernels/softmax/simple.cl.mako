<%doc>
Softmax, its logarithm, or 1 at the first largest element and 0 elsewhere, along the middle axis of x
(outer, n, inner), by definition.

One work-item computes `share` lines along the axis. Index space: (outer * inner / share).
Parameters: op: Softmax, LogSoftmax or Hardmax; type: C type, float or double.
</%doc>
kernel void ${entry}(
    global const ${type}* restrict x, global ${type}* restrict y, long n, long inner, long total, long share) {
  const long begin = get_global_id(0) * share;
  const long end = begin + share < total ? begin + share : total;
  for (long line = begin; line < end; ++line) {
    const long from = line / inner * n * inner + line % inner;
    global const ${type}* source = x + from;
    global ${type}* target = y + from;
    long at = 0;
    ${type} top = source[0];
    for (long k = 1; k < n; ++k) {
      const ${type} v = source[k * inner];
      if (v > top || (v != v && top == top)) { top = v; at = k; }
    }
% if op == "Hardmax":
    for (long k = 0; k < n; ++k) target[k * inner] = k == at;
% else:
    ${type} sum = 0;
    for (long k = 0; k < n; ++k) sum += exp(source[k * inner] - top);
    for (long k = 0; k < n; ++k) {
      const ${type} shifted = source[k * inner] - top;
      target[k * inner] = ${"shifted - log(sum)" if op == "LogSoftmax" else "exp(shifted) / sum"};
    }
% endif
  }
}

<%doc>
Interpolation along any axes, by tables of the pixels and weights that make each output pixel.

  y[o0, o1, ...] = sum over t0, t1, ... of weight0[o0, t0] * weight1[o1, t1] * ... * x[index0[o0, t0], ...]

x (size0, size1, ...)   y (out0, out1, ...), plain; an axis that is copied has no table
index{i} (out{i}, taps{i}): -1 where the pixel is outside and gets the value `outside`; weight{i} likewise
One work-item computes `chunk` pixels along the last axis; index space: (chunks, product of the other axes).

Parameters: type of the elements; sum_type float or double; copied: for each axis whether it is only copied;
weighted: whether there are weights, else one tap and `outside` is the element's bits; crops: whether pixels
may be outside.
</%doc>
<%!
from clconv.lowering.model.ctext import element, set_element
%>\
<%
  x_type, y_type = (stored("x", type), stored("y", type)) if weighted else (type, type)
  axes = range(len(copied))
  last = axes[-1]
  source = "i0"
  for i in axes[1:]:
      source = "(%s) * size%d + i%d" % (source, i, i)
  taps = lambda i: "taps%d" % i if weighted else "1"
  outsides = ["index%d[o%d * %s] < 0" % (i, i, taps(i)) for i in axes if not copied[i]]
%>
kernel void ${entry}(
    global const ${x_type}* restrict x, global ${y_type}* restrict y,
% for i in axes:
% if not copied[i]:
    global const int* restrict index${i},
% if weighted:
    global const ${sum_type}* restrict weight${i}, int taps${i},
% endif
% endif
% endfor
% for what in ("size", "out"):
% for i in axes:
    int ${what}${i},
% endfor
% endfor
    ${sum_type if weighted else "ulong"} outside, int chunk) {
  size_t rest = get_global_id(1);
% for i in reversed(axes[:-1]):
  const int o${i} = rest % out${i}; rest /= out${i};
% endfor
  const int stop = (int)get_global_id(0) * chunk + min(chunk, out${last} - (int)get_global_id(0) * chunk);
  for (int o${last} = get_global_id(0) * chunk; o${last} < stop; ++o${last}) {
    const size_t at = (size_t)get_global_id(1) * out${last} + o${last};
% if crops and outsides:
    if (${" || ".join(outsides)}) {
      ${set_element("y", "at", "(%s)outside" % type, y_type)}
      continue;
    }
% endif
% if weighted:
    ${sum_type} sum = 0;
% endif
% for i in axes:
% if copied[i]:
    { const size_t i${i} = o${i};
% elif weighted:
    for (int t${i} = 0; t${i} < taps${i}; ++t${i}) {
      const size_t i${i} = index${i}[o${i} * taps${i} + t${i}];
% else:
    { const size_t i${i} = index${i}[o${i}];
% endif
% endfor
% if weighted:
      sum += ${" * ".join([element("x", source, x_type)] + ["weight%d[o%d * taps%d + t%d]" % (i, i, i, i) for i in axes if not copied[i]])};
% else:
      y[at] = x[${source}];
% endif
    ${"}" * len(axes)}
% if weighted:
    ${set_element("y", "at", "(%s)sum" % type, y_type)}
% endif
  }
}

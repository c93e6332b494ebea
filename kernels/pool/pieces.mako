<%doc>
What the pooling kernels share: taking a pixel into a window's result, and finishing the result.
kind: max, average (sum, then divided by the count) or lp (sum of |x|^power, then its root).
</%doc>

## Statement that takes C text `value` into variable `sum`, both of type V. A NaN stays.
<%def name="take(kind, power, V, sum, value)">\
% if kind == "max":
{ const ${V} v = ${value}; const ${V} m = ${sum} > v ? ${sum} : v; ${sum} = ${sum} != ${sum} ? ${sum} : m; }\
% elif kind == "average":
${sum} += ${value};\
% elif power <= 8:
{ ${V} v = ${value}; v = v < 0 ? -v : v; ${sum} += ${" * ".join(["v"] * power)}; }\
% else:
${sum} += pow(fabs(${value}), (${V})(${power}));\
% endif
</%def>

## Statement that turns the sum into the result; `count` is C text of how many pixels are in it.
<%def name="finish(kind, power, V, sum, count)">\
% if kind == "average":
${sum} = ${sum} / (${V})(max(${count}, 1));\
% elif kind == "lp" and power == 2:
${sum} = sqrt(${sum});\
% elif kind == "lp" and power > 2:
${sum} = pow(${sum}, (${V})(1) / (${V})(${power}));\
% endif
</%def>

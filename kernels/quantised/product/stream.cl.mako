<%doc>
Product of few rows of whole numbers with a matrix that is read once, as it lies, for CPUs. Summed exactly: EXACT products of
differences of bytes in floats, then as integers.

  sum[m, n] = sum over k of (x[m, k] - x_zero[m]) * (w[k, n] - w_zero[n])

y = sum, or saturate(rint(sum * x_scale[m] * w_scale[n] / y_scale) + y_zero); see pieces.mako.
x (rows, inner)   w (inner, columns), columns >= width   y (rows, columns)   point_rows: rows of one matrix of x
One item computes `width` columns of all rows; index space: (columns / width).
Parameters: x_type, w_type, target; points and scales: see pieces.mako; rows; width, a multiple of block.
</%doc>
<%namespace name="pieces" file="/quantised/product/pieces.mako"/>
<%!
from clconv.lowering.model.ctext import vector_type
%>
<%
  V = vector_type(block)
  VECTORS = range(width // block)
  EXACT = 256  # 255 * 255 * 256 < 2 ** 24
  lanes = "for (int lane = 0; lane < %d; ++lane)" % width
%>
kernel __attribute__((vec_type_hint(${V}))) void ${entry}(
    global const ${x_type}* restrict x, global const ${w_type}* restrict w\
${pieces.point_parameters(x_type, w_type, points)}\
% if scaled:
${pieces.scale_parameters(scale_type, target)}\
% endif
, global ${target}* restrict y, int inner, int columns, int point_rows) {
  // The last item moves back so that it is full; it computes some columns again.
  const int n = min((int)get_global_id(0) * ${width}, columns - ${width});
% for v in VECTORS:
  const ${V} w_points${v} = (${V})(${", ".join("(float)" + capture(pieces.point, "w_zero", points[1], "n + %d" % (v * block + lane)).strip() for lane in range(block))});
% endfor
% for r in range(rows):
  int sums${r}[${width}];
  ${lanes} sums${r}[lane] = 0;
  const int x_point${r} = ${pieces.point("x_zero", points[0], "%d %% point_rows" % r)};
% endfor
  for (int part = 0; part < inner; part += ${EXACT}) {
    const int stop = min(part + ${EXACT}, inner);
% for r in range(rows):
    ${V} ${", ".join("exact%d_%d = (%s)(0)" % (r, v, V) for v in VECTORS)};
% endfor
    for (int k = part; k < stop; ++k) {
      global const ${w_type}* line = w + (size_t)k * columns + n;
% for v in VECTORS:
      const ${V} numbers${v} = (${V})(${", ".join("(float)line[%d]" % (v * block + lane) for lane in range(block))}) - w_points${v};
% endfor
% for r in range(rows):
      const float value${r} = x[(size_t)${r} * inner + k] - x_point${r};
% for v in VECTORS:
      exact${r}_${v} = value${r} * numbers${v} + exact${r}_${v};
% endfor
% endfor
    }
    float exact[${width}];
% for r in range(rows):
% for v in VECTORS:
    *(private ${V}_u*)&exact[${v * block}] = exact${r}_${v};
% endfor
    ${lanes} sums${r}[lane] += (int)exact[lane];
% endfor
  }
% for r in range(rows):
  {
    global ${target}* result = y + (size_t)${r} * columns + n;
% if scaled:
    const int row = ${r} % point_rows;
    ${lanes} {
      ${pieces.factor("factor", scale_type, compute, wide, quotient, "row" if many_rows else "0",
                      "n + lane" if many_columns else "0")}
      ${pieces.store(target, wide, "result[lane]", "sums%d[lane]" % r, "factor", low, high)}
    }
% else:
    ${lanes} result[lane] = sums${r}[lane];
% endif
  }
% endfor
}

<%doc>
Matrix product of whole numbers in floats, for CPUs: a register tile over panels of columns. Every float is a difference of
two bytes, so that a sum of EXACT products is exact; those sums are added as integers.

  sum[b, m, n] = bias[m] + sum over k of a[m, k] * panels[k, n]

y = sum, or saturate(rint(sum * x_scale * w_scale / y_scale) + y_zero); see pieces.mako.
a       (batch of A, rows, inner)     panels  (batch of B, columns / WIDTH, inner, WIDTH), WIDTH = vectors * block
y       (batch, rows, columns)        a_batches, b_batches: matrices of A and B for each of y
bias    for each row of a (batch of A, rows)
One item computes `per_item` rows of one panel; index space: (row items, columns / WIDTH, batch).
Parameters: block, vectors, tile_rows: register tile; batched; bias; target and what pieces.mako takes;
x_index, w_index: what a scale goes by, "0", "line" (row of all of A), "row" (within a matrix of x), "column".
</%doc>
<%namespace name="pieces" file="/quantised/product/pieces.mako"/>
<%!
from clconv.lowering.model.ctext import load, vector_type
%>
<%
  V = vector_type(block)
  WIDTH = vectors * block
  EXACT = 256  # 255 * 255 * 256 < 2 ** 24
  R = range(tile_rows)
  VECTORS = range(vectors)
  unroll = 4
%>
## Inner index k + u for the whole tile.
<%def name="multiply(u)">
        {
% for v in VECTORS:
          const ${V} b${v} = ${load(V, "source + %d" % (u * WIDTH + v * block))};
% endfor
% for r in R:
          { const float s = a${r}[k + ${u}];
% for v in VECTORS:
            sum${r}_${v} = s * b${v} + sum${r}_${v};
% endfor
          }
% endfor
        }
</%def>
kernel __attribute__((vec_type_hint(${V}))) void ${entry}(
    global const float* restrict a, global const float* restrict panels\
% if scaled:
${pieces.scale_parameters(scale_type, target)}\
% endif
% if bias:
, global const int* restrict bias\
% endif
% if batched:
, global const int* restrict a_batches, global const int* restrict b_batches\
% endif
, global ${target}* restrict y, int rows, int inner, int columns, int point_rows, int per_item) {
  const int chunk = get_global_id(1);
  const size_t batch = get_global_id(2);
  const size_t a_batch = ${"a_batches[batch]" if batched else "0"}, b_batch = ${"b_batches[batch]" if batched else "0"};
  global const float* panel = panels + (b_batch * get_global_size(1) + chunk) * inner * ${WIDTH};
  const int begin = get_global_id(0) * per_item, end = min(begin + per_item, rows);
  const int first_column = chunk * ${WIDTH}, lanes = min(columns - first_column, ${WIDTH});
  for (int tile = begin; tile < end; tile += ${tile_rows}) {
    // The last tile moves back so that it is full; it computes some rows again.
    const int first = max(min(tile, end - ${tile_rows}), begin);
    int sums[${tile_rows}][${WIDTH}] __attribute__((aligned(64)));
    for (int r = 0; r < ${tile_rows}; ++r)
      for (int lane = 0; lane < ${WIDTH}; ++lane)
        sums[r][lane] = ${"bias[a_batch * rows + min(first + r, end - 1)]" if bias else "0"};
    for (int part = 0; part < inner; part += ${EXACT}) {
      const int stop = min(part + ${EXACT}, inner);
      global const float* source = panel + (size_t)part * ${WIDTH};
% for r in R:
      global const float* a${r} = a + (a_batch * rows + min(first + ${r}, end - 1)) * inner;
      ${V} ${", ".join("sum%d_%d = (%s)(0)" % (r, v, V) for v in VECTORS)};
% endfor
      int k = part;
      for (; k + ${unroll} <= stop; k += ${unroll}, source += ${unroll * WIDTH}) {
% for u in range(unroll):
        ${multiply(u)}
% endfor
      }
      for (; k < stop; ++k, source += ${WIDTH}) {
        ${multiply(0)}
      }
      float exact[${tile_rows}][${WIDTH}] __attribute__((aligned(64)));
% for r in R:
% for v in VECTORS:
      *(private ${V}*)&exact[${r}][${v * block}] = sum${r}_${v};
% endfor
% endfor
      for (int r = 0; r < ${tile_rows}; ++r)
        for (int lane = 0; lane < ${WIDTH}; ++lane) sums[r][lane] += (int)exact[r][lane];
    }
    for (int r = 0; r < min(${tile_rows}, end - first); ++r) {
      const size_t line = a_batch * rows + first + r;
      const int row = (first + r) % point_rows;
      global ${target}* result = y + (batch * rows + first + r) * columns + first_column;
% if scaled:
      for (int lane = 0; lane < lanes; ++lane) {
        const int column = first_column + lane;
        ${pieces.factor("factor", scale_type, compute, wide, quotient, x_index, w_index)}
        ${pieces.store(target, wide, "result[lane]", "sums[r][lane]", "factor", low, high)}
      }
% else:
      if (lanes == ${WIDTH}) {
        for (int lane = 0; lane < ${WIDTH}; ++lane) result[lane] = sums[r][lane];
      } else {
        for (int lane = 0; lane < lanes; ++lane) result[lane] = sums[r][lane];
      }
% endif
    }
  }
}

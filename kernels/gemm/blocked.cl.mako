<%doc>
Matrix product for CPUs: a register tile of `tile_rows` x `vectors` accumulators over panels of columns.

  y[m, n] = sum over k of a[m, k] * b[k, n]  (* alpha)  (+ c)

a       rows x inner: row-major with `step` elements a row, or transposed with `step` elements an inner index
panels  (batch of B, columns / WIDTH, inner, WIDTH) with WIDTH = vectors * block: b, packed
y       (batch, rows, columns), row-major        a_batches, b_batches: matrices of A and B for each of y
c       "columns": a vector of columns padded to whole panels; "matrix": c[m * c_row (+ n)] * beta
One work-item computes `per_item` rows of one panel; index space: (row items, columns / WIDTH, batch).
A tile of one row is a stream of the panel: `steps` inner indices have accumulators of their own then, for one
chain of additions is slower than memory.

Parameters: block 4, 8, 16; vectors 1, 2; tile_rows 1..12; transposed: A; batched; scaled: whether there is an
alpha; addend none, columns, matrix; addend_columns: whether the matrix c has more than one column; epilogue; in_place:
y lies where c or an operand of the epilogue does, so that nothing may be written twice.
</%doc>
<%namespace name="after" file="/gemm/finish.mako"/>
<%!
from clconv.lowering.model.ctext import assign, element, load, set_element, vector_type
%>
<%
  V = vector_type(block)
  WIDTH = vectors * block
  R = range(tile_rows)
  VECTORS = range(vectors)
  steps = 4 if tile_rows == 1 else 1
  unroll = 4
  together = stored("a") == "half" and not transposed
%>
## Inner index k + u for the whole tile; together: halves of a row were read `unroll` at once.
<%def name="multiply(u, own, together=False)">
        {
% for v in VECTORS:
          const ${V} b${v} = ${load(V, "source + %d" % (u * WIDTH + v * block), stored("panels"))};
% endfor
% for r in R:
          { const float s = ${"s%d.s%d" % (r, u) if together else element("a%d" % r, "(size_t)(k + %d) * step" % u if transposed else "k + %d" % u, stored("a"))};
% for v in VECTORS:
            sum${r}_${v}_${own} = s * b${v} + sum${r}_${v}_${own};
% endfor
          }
% endfor
        }
</%def>
## Finishes a vector or a scalar.
<%def name="finish(value, type, row, column, at)">
        ${after.finish(value, type, row, column, at, scaled, addend, addend_columns, epilogue)}
</%def>
kernel __attribute__((vec_type_hint(${V}))) void ${entry}(
    global const ${stored("a")}* restrict a, global const ${stored("panels")}* restrict panels,
% if batched:
    global const int* restrict a_batches, global const int* restrict b_batches,
% endif
    global ${stored("y")}* restrict y, int rows, int inner, int columns, int step,
    int per_item${after.parameters(scaled, addend, epilogue_names)}) {
  const int chunk = get_global_id(1);
  const int batch = get_global_id(2);
% if batched:
  global const ${stored("a")}* left = a + (size_t)a_batches[batch] * rows * inner;
  global const ${stored("panels")}* panel = panels + ((size_t)b_batches[batch] * get_global_size(1) + chunk) * inner * ${WIDTH};
% else:
  global const ${stored("a")}* left = a;
  global const ${stored("panels")}* panel = panels + (size_t)chunk * inner * ${WIDTH};
% endif
  const int begin = get_global_id(0) * per_item;
  const int end = begin + min(per_item, rows - begin);
  const int left_columns = columns - chunk * ${WIDTH};
  for (int tile = begin; tile < end; tile += ${tile_rows}) {
    // The last tile moves back so that it is full; it computes some rows again${", but does not write them" if in_place else ""}.
    const int first = max(min(tile, end - ${tile_rows}), begin);
% for r in R:
    global const ${stored("a")}* a${r} = left + (size_t)min(first + ${r}, end - 1)${"" if transposed else " * step"};
% for u in range(steps):
    ${V} ${", ".join("sum%d_%d_%d = (%s)(0)" % (r, v, u, V) for v in VECTORS)};
% endfor
% endfor
    global const ${stored("panels")}* source = panel;
    int k = 0;
    for (; k + ${unroll} <= inner; k += ${unroll}, source += ${unroll * WIDTH}) {
% if together:
% for r in R:
      const float${unroll} s${r} = ${load("float%d" % unroll, "a%d + k" % r, "half")};
% endfor
% endif
% for u in range(unroll):
      ${multiply(u, u % steps, together)}
% endfor
    }
    for (; k < inner; ++k, source += ${WIDTH}) {
      ${multiply(0, 0)}
    }
% for r in R:
% for v in VECTORS:
% for u in range(1, steps):
    sum${r}_${v}_0 += sum${r}_${v}_${u};
% endfor
% endfor
% endfor
    const int column = chunk * ${WIDTH};
    if (left_columns >= ${WIDTH}) {
% for r in R:
      if (first + ${r} < end${" && first + %d >= tile" % r if in_place else ""}) {
        const size_t at = ((size_t)batch * rows + first + ${r}) * columns + column;
% for v in VECTORS:
        ${finish("sum%d_%d_0" % (r, v), V, "first + %d" % r, "(column + %d)" % (v * block), "at + %d" % (v * block))}
        ${"*(global %s_u*)(y + at + %d) = sum%d_%d_0;" % (V, v * block, r, v) if stored("y") == "float" else assign(V, "y + at + %d" % (v * block), "sum%d_%d_0" % (r, v), "half")}
% endfor
      }
% endfor
      continue;
    }
    // The last panel: as many columns as there are.
    float results[${tile_rows}][${WIDTH}];
% for r in R:
% for v in VECTORS:
    *(private ${V}_u*)&results[${r}][${v * block}] = sum${r}_${v}_0;
% endfor
% endfor
    for (int r = ${"tile - first" if in_place else "0"}; r < min(${tile_rows}, end - first); ++r) {
      const size_t at = ((size_t)batch * rows + first + r) * columns + column;
      for (int lane = 0; lane < left_columns; ++lane) {
        float value = results[r][lane];
        ${finish("value", "float", "first + r", "(column + lane)", "at + lane")}
        ${set_element("y", "at + lane", "value", stored("y"))}
      }
    }
  }
}

<%doc>
Matrix product by its definition, for any element type, with every matrix stepped through by strides.

  y[m, n] = alpha * sum over k of a[m, k] * b[k, n] + beta * c[m, n]

a, b     matrices with steps a_row, a_inner, b_inner, b_column; y (batch, rows, columns), row-major
c        steps c_row and c_column, 0 where it is broadcast
a_batches, b_batches: matrices of A and B for each of y
One work-item computes `chunk` columns of one row; index space: (column items, rows, batch).
channels, channel_size: axis 1 of y and how many elements one step along it is, for the epilogue.

Parameters: type; sum_type; scaled: whether alpha and beta count; factor: their type; wide: in which sums are scaled; conversion: C text of the type from `scaled`; batched; addend none or matrix; epilogue.
</%doc>
<%namespace name="common" file="/common.mako"/>
<%!
from clconv.lowering.model.ctext import element, set_element
%>\
kernel void ${entry}(
    global const ${stored("a", type)}* restrict a, global const ${stored("b", type)}* restrict b,
% if batched:
    global const int* restrict a_batches, global const int* restrict b_batches,
% endif
    global ${stored("y", type)}* restrict y, int rows, int inner, int columns, int a_row, int a_inner, int b_inner,
    int b_column, ${factor} alpha, int channels, int channel_size, int chunk\
% if addend == "matrix":
, global const ${stored("c", type)}* restrict c, int c_row, int c_column, ${factor} beta\
% endif
${common.epilogue_parameters(epilogue_names)}) {
  const size_t m = get_global_id(1);
  const size_t batch = get_global_id(2);
  const size_t matrix = (size_t)rows * inner;
% if batched:
  global const ${stored("a", type)}* left = a + a_batches[batch] * matrix + m * a_row;
  global const ${stored("b", type)}* right = b + (size_t)b_batches[batch] * inner * columns;
% else:
  global const ${stored("a", type)}* left = a + m * a_row;
  global const ${stored("b", type)}* right = b;
% endif
  const int stop = (int)get_global_id(0) * chunk + min(chunk, columns - (int)get_global_id(0) * chunk);
  for (int n = get_global_id(0) * chunk; n < stop; ++n) {
    ${sum_type} sum = 0;
    for (int k = 0; k < inner; ++k)
      sum += (${sum_type})${element("left", "(size_t)k * a_inner", stored("a"))} * (${sum_type})${element("right", "(size_t)k * b_inner + (size_t)n * b_column", stored("b"))};
% if addend == "matrix":
    const ${type} added = ${element("c", "m * c_row + n * c_column", stored("c"))};
% endif
% if scaled:
    const ${wide} scaled = ((${wide})alpha * (${wide})sum${" + (%s)beta * (%s)added" % (wide, wide) if addend == "matrix" else ""});
    ${type} value = ${conversion};
% else:
    ${type} value = (${type})(sum${" + added" if addend == "matrix" else ""});
% endif
    const size_t at = (batch * rows + m) * columns + n;
    const int channel = at / channel_size % channels;
    ${common.apply_epilogue(epilogue, "value", type, "channel", "at")}
    ${set_element("y", "at", "value", stored("y"))}
  }
}

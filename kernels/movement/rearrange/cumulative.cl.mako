<%doc>
Running sum or product along one axis: y[o, i, c] = x[o, 0, c] OPERATOR ... OPERATOR x[o, i, c].

x, y (O, length, inner), lines = O * inner. One item does `chunk` lines. Index space: (lines / chunk).
Parameters: type of the elements; wide: the type that is accumulated in; operator + or *; exclusive: without x[o, i, c]
itself; reverse: from the end.
</%doc>
kernel void ${entry}(
    global const ${type}* restrict x, global ${type}* restrict y, int length, int inner, int lines, int chunk) {
  const int begin = get_global_id(0) * chunk;
  const int end = begin + min(chunk, lines - begin);
  for (int line = begin; line < end; ++line) {
    const int outer = line / inner;
    const long first = (long)outer * length * inner + (line - outer * inner);
    ${wide} sum = ${0 if operator == "+" else 1};
    for (int i = 0; i < length; ++i) {
      const long at = first + (long)${"(length - 1 - i)" if reverse else "i"} * inner;
% if exclusive:
      y[at] = (${type})sum;
      sum = sum ${operator} x[at];
% else:
      sum = sum ${operator} x[at];
      y[at] = (${type})sum;
% endif
    }
  }
}

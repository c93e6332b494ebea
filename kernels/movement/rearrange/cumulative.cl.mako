<%doc>
Running sum or product along one axis: y[o, i, c] = x[o, 0, c] OPERATOR ... OPERATOR x[o, i, c].

x, y (O, length, inner), lines = O * inner. One item does `chunk` lines, `lanes` at a time where they are neighbours: side
by side (inner > 1), four such vectors where there are so many, or one behind the other. So an addition need not wait for the
one before.
Index space: (lines / chunk).
Parameters: type of the elements; wide: the type that is accumulated in; operator + or *; exclusive: without x[o, i, c]
itself; reverse: from the end; lanes: 1 to do line after line; beside: inner > 1.
</%doc>
<%
  at = "(length - 1 - i)" if reverse else "i"
%>
## One step of one line: the running result `sum`, its element `place`.
<%def name="step(sum, value, place, kind)">\
% if exclusive:
${place} = ${kind(sum)};
        ${sum} = ${sum} ${operator} ${value};
% else:
${sum} = ${sum} ${operator} ${value};
        ${place} = ${kind(sum)};
% endif
</%def>
% if lanes > 1 and beside:
typedef ${type} ${entry}_v __attribute__((ext_vector_type(${lanes}), aligned(sizeof(${type}))));
typedef ${wide} ${entry}_wide __attribute__((ext_vector_type(${lanes})));
% endif
kernel void ${entry}(
    global const ${type}* restrict x, global ${type}* restrict y, int length, int inner, int lines, int chunk) {
  const int begin = get_global_id(0) * chunk;
  const int end = begin + min(chunk, lines - begin);
  int line = begin;
  while (line < end) {
    const int outer = line / inner;
    const int column = line - outer * inner;
    const long first = (long)outer * length * inner + column;
% if lanes > 1 and beside:
% for count in (4, 1):
    if (column + ${count * lanes} <= inner && line + ${count * lanes} <= end) {
% for v in range(count):
      ${entry}_wide sum${v} = (${entry}_wide)(${0 if operator == "+" else 1});
% endfor
      for (int i = 0; i < length; ++i) {
        const long at = first + (long)${at} * inner;
% for v in range(count):
        const ${entry}_wide value${v} = __builtin_convertvector(*(global const ${entry}_v*)(x + at + ${v * lanes}), ${entry}_wide);
        ${step("sum%d" % v, "value%d" % v, "*(global %s_v*)(y + at + %d)" % (entry, v * lanes), lambda s: "__builtin_convertvector(%s, %s_v)" % (s, entry))}
% endfor
      }
      line += ${count * lanes};
      continue;
    }
% endfor
% elif lanes > 1:
    if (line + ${lanes} <= end) {
      ${wide} ${", ".join("sum%d = %d" % (k, operator == "*") for k in range(lanes))};
      for (int i = 0; i < length; ++i) {
        const long at = first + ${at};
% for k in range(lanes):
        ${step("sum%d" % k, "x[at + (long)%d * length]" % k, "y[at + (long)%d * length]" % k, lambda s: "(%s)%s" % (type, s))}
% endfor
      }
      line += ${lanes};
      continue;
    }
% endif
    ${wide} sum = ${0 if operator == "+" else 1};
    for (int i = 0; i < length; ++i) {
      const long at = first + (long)${at} * inner;
      ${step("sum", "x[at]", "y[at]", lambda s: "(%s)%s" % (type, s))}
    }
    ++line;
  }
}

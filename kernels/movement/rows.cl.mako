<%doc>
Strided copy, row by row: y[y_offset + p . y_strides + r * y_row + c * y_column] = x[the same with x's].

x, y      any memory; offsets and strides in elements
planes    the product of the outer axes' sizes, of which an item does plane_chunk; likewise rows, columns
Index space: (column items, row items, plane items).
Parameters: type: an unsigned integer of the element's size; outer: axes in front of the last two; width:
vector lanes; step: the columns are neighbours in y and in x are neighbours ("one"), the same element
("zero"), every other ("two"), backwards ("back"), or both have strides ("any"); run: a constant number of columns,
0 if an argument says it.
</%doc>
<%namespace name="run_of" file="/movement/run.mako"/>
<%namespace name="loops" file="/movement/loops.mako"/>
<%
  lanes = range(width)
%>
${run_of.vector_type(entry, type, width)}
% if run and step == "one":
% for size in (2, 4, 8, 16):
% if size <= width:
typedef ${type} ${entry}_v${size} __attribute__((ext_vector_type(${size}), aligned(sizeof(${type}))));
% endif
% endfor
% endif
kernel void ${entry}(${loops.parameters(type, outer)}) {
  ${loops.ranges()}
  for (int plane = plane_begin; plane < plane_end; ++plane) {
    ${loops.plane_start(type, outer)}
    for (int row = row_begin; row < row_end; ++row) {
% if run and step == "one":
      global const ${type}* s = from + row * x_row;
      global ${type}* t = to + row * y_row;
<%
  at, parts = 0, []
  while at < run:
      size = max(n for n in (1, 2, 4, 8, 16) if n <= min(width, run - at))
      parts.append((at, size))
      at += size
%>
% for at, size in parts:
% if size == 1:
      t[${at}] = s[${at}];
% else:
      *(global ${entry}_v${size}*)(t + ${at}) = *(global const ${entry}_v${size}*)(s + ${at});
% endif
% endfor
% elif step == "one":
      global const ${type}* s = from + row * x_row + column_begin;
      global ${type}* t = to + row * y_row + column_begin;
      const int count = column_end - column_begin;
      ${run_of.copy(entry, width, "t", "s", "count")}
% elif step == "zero":
      const ${type} value = from[row * x_row];
      global ${type}* t = to + row * y_row + column_begin;
      const int count = column_end - column_begin;
      ${run_of.fill(entry, type, width, "t", "value", "count")}
% elif step == "two" and width > 1:
      global const ${type}* s = from + row * x_row;
      global ${type}* t = to + row * y_row;
      int column = column_begin;
      // The vectors read one element past the last that is wanted: the last column is left to the loop below.
      for (; column + ${width} < column_end; column += ${width}) {
        const ${entry}_v low = *(global const ${entry}_v*)(s + 2 * column);
        const ${entry}_v high = *(global const ${entry}_v*)(s + 2 * column + ${width});
        // Not low.even: Oclgrind crashes on it.
        *(global ${entry}_v*)(t + column) = (${entry}_v)(${", ".join("%s.s%x" % (part, lane) for part in ("low", "high") for lane in range(0, width, 2))});
      }
      for (; column < column_end; ++column) t[column] = s[2 * column];
% elif step == "back" and width > 1:
      global const ${type}* s = from + row * x_row;
      global ${type}* t = to + row * y_row;
      int column = column_begin;
      for (; column + ${width} <= column_end; column += ${width}) {
        const ${entry}_v part = *(global const ${entry}_v*)(s - column - ${width - 1});
        *(global ${entry}_v*)(t + column) = part.s${"".join("%x" % lane for lane in reversed(lanes))};
      }
      for (; column < column_end; ++column) t[column] = s[-column];
% else:
      global const ${type}* s = from + row * x_row;
      global ${type}* t = to + row * y_row;
      int column = column_begin;
% if width > 1:
      for (; column + 4 <= column_end; column += 4) {
% for i in range(4):
        const ${type} e${i} = s[(column + ${i}) * x_column];
% endfor
% for i in range(4):
        t[(column + ${i}) * y_column] = e${i};
% endfor
      }
% endif
      for (; column < column_end; ++column) t[column * y_column] = s[column * x_column];
% endif
    }
  }
}

<%doc>
Mako pieces for kernels on CPUs that exchange two axes in vectors. Import with
  <%namespace name="exchange" file="/movement/exchange.mako"/>
Elements change places inside groups of 128 bits or less alone, which is one cheap instruction for each vector. The builtin of clang
keeps shuffles whole where a list of elements becomes moves of single ones.
</%doc>
<%!
def shuffled(one, other, places):
    return "__builtin_shufflevector(%s, %s, %s)" % (one, other, ", ".join(map(str, places)))


def interleaved(one, other, lanes, size, second):
    """Of each group of two vectors the first or second halves, an element of each in turn."""
    half = range(size // 2 * second, size // 2 * (second + 1))
    return shuffled(one, other, (size * g + k + of for g in range(lanes // size) for k in half for of in (0, lanes)))
%>

## The types of vectors that may start at any element: NAME_n for a row of a strip, and for twice as many up to `lanes`.
<%def name="vector_types(name, type, lanes, row)">\
% for width in (2, 4, 8, 16):
% if row <= width <= lanes:
typedef ${type} ${name}_${width} __attribute__((ext_vector_type(${width}), aligned(sizeof(${type}))));
% endif
% endfor
</%def>

## `lanes` rows of `row` elements, `step` apart from `source` on, become `row` rows of `lanes`, `target_step` apart from
## `target` on. row: a power of two that divides `lanes`.
<%def name="strip(name, type, lanes, row, source, step, target, target_step)">\
<%
  vector = "%s_%d" % (name, lanes)
  rounds = row.bit_length() - 1
  def rows(first, count):
      """The elements of every `row`-th row side by side."""
      if count == 1:
          return "*(global const %s_%d*)(s + %d * (%s))" % (name, row, first, step)
      half = count // 2
      return shuffled(rows(first, half), rows(first + row * half, half), range(row * count))
%>\
{
  global const ${type}* const s = ${source};
  global ${type}* const t = ${target};
% for i in range(row):
  const ${vector} r0_${i} = ${rows(i, lanes // row)};
% endfor
## Each round of interleaving vectors i and i + row / 2 brings one bit of the row's number into the column's.
% for done in range(rounds):
% for i in range(row // 2):
% for second in (0, 1):
  const ${vector} r${done + 1}_${2 * i + second} = ${interleaved("r%d_%d" % (done, i), "r%d_%d" % (done, i + row // 2), lanes, row, second)};
% endfor
% endfor
% endfor
% for i in range(row):
  *(global ${vector}*)(t + ${i} * (${target_step})) = r${rounds}_${i};
% endfor
}
</%def>

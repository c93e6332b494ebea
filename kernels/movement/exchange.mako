<%doc>
Mako pieces for kernels on CPUs that exchange two axes of elements of 32 bits in vectors. Import with
  <%namespace name="exchange" file="/movement/exchange.mako"/>
Elements change places inside groups of four lanes alone, which is one cheap instruction for each vector. Of other sizes
LLVM 14 has been seen to fail, so there are none. The builtin of clang keeps shuffles whole where a list of elements becomes
moves of single ones.
</%doc>

## The types of vectors that may start at any element: NAME_4 and so on up to `lanes`, which are 4, 8 or 16.
<%def name="vector_types(name, lanes)">\
% for width in (4, 8, 16):
% if width <= lanes:
typedef uint ${name}_${width} __attribute__((ext_vector_type(${width}), aligned(4)));
% endif
% endfor
</%def>

## `lanes` rows of four elements, `step` apart from `source` on, become four rows of `lanes`, `target_step` apart from `target` on.
<%def name="strip(name, lanes, source, step, target, target_step)">\
<%
  vector = "%s_%d" % (name, lanes)
  def shuffled(one, other, places):
      return "__builtin_shufflevector(%s, %s, %s)" % (one, other, ", ".join(map(str, places)))
  def picked(one, other, which):
      """Of each group of four lanes the elements `which` of two vectors, 0 to 3 of the first and 4 to 7 of the second."""
      return shuffled(one, other, (4 * g + k % 4 + k // 4 * lanes for g in range(lanes // 4) for k in which))
  def rows(first, count):
      """The four elements of every fourth row side by side."""
      if count == 1:
          return "*(global const %s_4*)(s + %d * (%s))" % (name, first, step)
      half = count // 2
      return shuffled(rows(first, half), rows(first + 4 * half, half), range(4 * count))
%>\
{
  global const uint* const s = ${source};
  global uint* const t = ${target};
% for i in range(4):
  const ${vector} a${i} = ${rows(i, lanes // 4)};
% endfor
% for i in (0, 2):
  const ${vector} b${i} = ${picked("a%d" % i, "a%d" % (i + 1), (0, 4, 1, 5))};
  const ${vector} b${i + 1} = ${picked("a%d" % i, "a%d" % (i + 1), (2, 6, 3, 7))};
% endfor
% for i in (0, 1):
  *(global ${vector}*)(t + ${2 * i} * (${target_step})) = ${picked("b%d" % i, "b%d" % (i + 2), (0, 1, 4, 5))};
  *(global ${vector}*)(t + ${2 * i + 1} * (${target_step})) = ${picked("b%d" % i, "b%d" % (i + 2), (2, 3, 6, 7))};
% endfor
}
</%def>

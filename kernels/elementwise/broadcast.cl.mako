<%doc>
Element-wise terms over plain tensors that broadcast: any dtypes, any number of axes.

y (size0, size1, ...) lies row by row. Operand i has `<name>_stride<axis>` elements from one index of an axis to
the next, 0 where it is repeated; along the last axis its step is 0 or 1.
One work-item computes `per_item` consecutive elements of y. Index space: (elements / per_item).
Parameters: rank: axes; width: floats of a vector, 1 for scalars; index: type of indices, int or long;
operands: (name, C type, step); compute, result: C types; terms: expressions that read v_<name>;
continues: the terms start from operand `before`; aligned: rows are whole vectors.
</%doc>
<%namespace name="common" file="/common.mako"/>
<%!
from clconv.lowering.model.ctext import assign, element, load, set_element, vector_type
%>
<%
  V = vector_type(width)
  last = rank - 1
  outer = list(range(rank - 1))
%>
kernel __attribute__((vec_type_hint(${V}))) void ${entry}(
% for name, type, step in operands:
    global const ${stored(name, type)}* restrict ${name},
% endfor
    global ${stored("y", result)}* restrict y, ${index} per_item
% for axis in range(rank):
    , ${index} size${axis}
% endfor
% for name, type, step in operands:
% for axis in outer:
    , ${index} ${name}_stride${axis}
% endfor
% endfor
    ) {
  const ${index} begin = get_global_id(0) * per_item;
  ${index} left = ${" * ".join("size%d" % axis for axis in range(rank))} - begin;
  left = left < per_item ? left : per_item;
  ${index} rest = begin;
% for axis in reversed(range(rank)):
  ${index} i${axis} = rest % size${axis}; rest /= size${axis};
% endfor
  global ${stored("y", result)}* out = y + begin;
  while (left > 0) {
    const ${index} room = size${last} - i${last};
    const ${index} run = left < room ? left : room;
% for name, type, step in operands:
    global const ${stored(name, type)}* p_${name} = ${name}\
% for axis in outer:
 + i${axis} * ${name}_stride${axis}\
% endfor
${" + i%d" % last if step else ""};
% endfor
    ${index} k = 0;
% if width > 1:
    for (; k + ${width} <= run; k += ${width}) {
% for name, type, step in operands:
      const ${V} v_${name} = ${load(V, "p_%s + k" % name, stored(name), aligned) if step else "(%s)(%s)" % (V, element("p_" + name, "0", stored(name)))};
% endfor
      ${V} value${" = v_before" if continues else ""};
      ${common.apply_epilogue(terms, "value", V, "0", "0")}
      ${assign(V, "out + k", "value", stored("y"), aligned)}
    }
% endif
    for (; k < run; ++k) {
% for name, type, step in operands:
      const ${type} v_${name} = ${element("p_" + name, "k" if step else "0", stored(name))};
% endfor
      ${result} value${" = v_before" if continues else ""};
      ${common.apply_epilogue(terms, "value", compute, "0", "0")}
      ${set_element("out", "k", "value", stored("y"))}
    }
    out += run;
    left -= run;
    i${last} = 0;
% for axis in reversed(outer):
    if (++i${axis} == size${axis}) { i${axis} = 0;
% endfor
    ${"}" * len(outer)}
  }
}

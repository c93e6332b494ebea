<%doc>
Several element-wise steps with several results over tensors of floats that lie alike, element by element.

  t<k> = the k-th step of inputs and of earlier steps;  y<i> = t<results[i]>
Inputs and results: `total` elements each, inputs of `singles` one. One work-item computes `per_item` elements, a multiple
of `width`. Index space: (total / per_item).
Parameters: type: C type that is computed with; width of the vectors 1..16; inputs, singles: names; terms: C texts of the
steps for a vector and for a scalar, which read inputs by name; results: numbers of steps, of outputs y0, y1...; aligned:
whether vectors are read where the type wants them.
</%doc>
<%!
from clconv.lowering.model.ctext import assign, element, load, set_element, vector_type
%>
<%
  V = vector_type(width, type)
%>
kernel __attribute__((vec_type_hint(${V}))) void ${entry}(
% for name in (*inputs, *singles):
    global const ${stored(name, type)}* restrict ${name},
% endfor
% for i in range(len(results)):
    global ${stored("y%d" % i, type)}* restrict y${i},
% endfor
    long total, long per_item) {
  const long begin = get_global_id(0) * per_item;
  const long end = begin + per_item < total ? begin + per_item : total;
  long i = begin;
% for name in singles:
  const ${type} s_${name} = ${element(name, "0", stored(name, type))};
% endfor
% if width > 1:
  for (; i + ${width} <= end; i += ${width}) {
% for name in inputs:
    const ${V} v_${name} = ${load(V, name + " + i", stored(name, type), aligned)};
% endfor
% for name in singles:
    const ${V} v_${name} = (${V})(s_${name});
% endfor
% for k, (text, _) in enumerate(terms):
    const ${V} t${k} = ${text};
% endfor
% for r, k in enumerate(results):
    ${assign(V, "y%d + i" % r, "t%d" % k, stored("y%d" % r, type), aligned)}
% endfor
  }
% endif
  for (; i < end; ++i) {
% for name in inputs:
    const ${type} v_${name} = ${element(name, "i", stored(name, type))};
% endfor
% for name in singles:
    const ${type} v_${name} = s_${name};
% endfor
% for k, (_, text) in enumerate(terms):
    const ${type} t${k} = ${text};
% endfor
% for r, k in enumerate(results):
    ${set_element("y%d" % r, "i", "t%d" % k, stored("y%d" % r, type))}
% endfor
  }
}

<%doc>
Mako pieces that kernels which move runs of elements share. Import with
  <%namespace name="run" file="/movement/run.mako"/>
All move bits: `type` is an unsigned integer of the element's size.
</%doc>

## The type of a vector that may start at any element: NAME_v. Nothing for width 1.
<%def name="vector_type(name, type, width)">\
% if width > 1:
typedef ${type} ${name}_v __attribute__((ext_vector_type(${width}), aligned(sizeof(${type}))));
% endif
</%def>

## Copies `count` neighbours from `source` to `target` (C texts of pointers), in vectors. The last vector
## moves back so that it is full; it copies some elements again.
<%def name="copy(name, width, target, source, count)">
% if width == 1:
for (int i = 0; i < ${count}; ++i) (${target})[i] = (${source})[i];
% else:
if (${count} >= ${width}) {
  int i = 0;
  for (; i + ${2 * width} <= ${count}; i += ${2 * width}) {
    const ${name}_v first = *(global const ${name}_v*)(${source} + i);
    const ${name}_v second = *(global const ${name}_v*)(${source} + i + ${width});
    *(global ${name}_v*)(${target} + i) = first;
    *(global ${name}_v*)(${target} + i + ${width}) = second;
  }
  for (; i < ${count}; i += ${width}) {
    const int at = i + ${width} <= ${count} ? i : ${count} - ${width};
    *(global ${name}_v*)(${target} + at) = *(global const ${name}_v*)(${source} + at);
  }
} else {
  for (int i = 0; i < ${count}; ++i) (${target})[i] = (${source})[i];
}
% endif
</%def>

## Writes `value` to `count` neighbours.
<%def name="fill(name, type, width, target, value, count)">
% if width == 1:
for (int i = 0; i < ${count}; ++i) (${target})[i] = ${value};
% else:
if (${count} >= ${width}) {
  const ${name}_v all = (${name}_v)(${value});
  for (int i = 0; i < ${count}; i += ${width})
    *(global ${name}_v*)(${target} + (i + ${width} <= ${count} ? i : ${count} - ${width})) = all;
} else {
  for (int i = 0; i < ${count}; ++i) (${target})[i] = ${value};
}
% endif
</%def>

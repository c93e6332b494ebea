<%doc>
What the kernels of recurrent layers share. Import with
  <%namespace name="pieces" file="/recurrent/pieces.mako"/>
activations: terms of the layer's functions; clip: whether there is a bound `clip` on what they are applied to.
</%doc>
<%! from clconv.lowering.model.ctext import load, store %>
## Function number i of a value, within the bounds.
<%def name="activate(activations, i, vector, clip, value)">\
<%
  bounded = value
  if clip:
      bounded = "(%s < -clip ? (%s)(-clip) : %s > clip ? (%s)(clip) : %s)" % (value, vector, value, vector, value)
%>\
(${activations[i].c_text(vector, (bounded,))})\
</%def>
## The time that step t of a sequence with `length` steps reads.
<%def name="time_of(direction)">\
${{"forward": "t", "reverse": "length - 1 - t", "bidirectional": "(d ? length - 1 - t : t)"}[direction]}\
</%def>
## Parameters: how far apart two times, batch rows and directions lie in the sequence of outputs.
<%def name="sequence_steps()">\
long y_time, long y_batch, long y_direction\
</%def>
## Adds the products of all units before with a line of recurrent weights to g0, g1, ...; `unroll` sums for each gate,
## g0_1 and so on beside g0. narrow: weights are bytes, which count steps of `step`.
<%def name="add_products(V, gates, unroll, narrow=False)">\
<%
  def weights(place):
      if not narrow:
          return load(V, place)
      return "__builtin_convertvector(*(global const %s*)(%s), %s)" % (V.replace("float", "char"), place, V)
  scaled = " * step" if narrow else ""
%>\
int k = 0;
% if unroll > 1:
  for (; k + ${unroll - 1} < hidden; k += ${unroll}) {
% for u in range(unroll):
    const float value${u} = before[k + ${u}]${scaled};
% for g in range(gates):
    g${g}${"_%d" % u if u else ""} += value${u} * ${weights("row + %d * (long)block" % (u * gates + g))};
% endfor
% endfor
    row += ${unroll * gates} * (long)block;
  }
% for g in range(gates):
  g${g} += ${" + ".join("g%d_%d" % (g, u) for u in range(1, unroll))};
% endfor
% endif
  for (; k < hidden; ++k, row += ${gates} * (long)block) {
    const float value = before[k]${scaled};
% for g in range(gates):
    g${g} += value * ${weights("row + %d * (long)block" % g)};
% endfor
  }
</%def>
## Writes `result`, of the units from `unit` on, as far as there are some, to target.
<%def name="store_units(V, vector)">\
% if vector == 1:
if (unit < hidden) target[0] = result;
% else:
if (unit + ${vector} <= hidden) {
    ${store(V, "target")} = result;
  } else {
    float lanes[${vector}] __attribute__((aligned(${4 * vector})));
    *(${V}*)lanes = result;
    for (int j = 0; unit + j < hidden; ++j) target[j] = lanes[j];
  }
% endif
</%def>

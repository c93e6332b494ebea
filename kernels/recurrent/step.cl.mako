<%doc>
One step of a recurrent layer for VECTOR units of one sequence in one direction.

x      what the inputs add to each gate, biases included: gates `padded` apart; x_direction, x_time, x_batch elements apart
r      (directions, padded / block, hidden, GATES, block): recurrent weights, one line of units after another
h, h_next, c, z, reset   (directions, batch, padded): state before and after, cell, and what the two parts of a GRU share
y      output at this time; an ended sequence keeps its state and puts out zeros
Index space: (padded / VECTOR, batch, directions).

kind: LSTM (gates i, o, f, c), RNN, GRU with linear_before_reset, or GRU in two steps: gates makes z and reset = r * h
of the gates z and r, new makes h_next of reset.
Parameters: kind; gates that r holds; vector: lanes of an item; unroll: products with sums of their own; direction; lengths:
C type or ""; activations, clip: see pieces.mako; peephole, input_forget: of LSTM; y: whether outputs are wanted;
narrow: r is of bytes, times r_scale (directions). planes: x is to be added to what lies x_low elements behind it, times
x_scale (rows), plus bias (directions, gates, padded). empty: the state before is 0. counts: how the state is counted in
counted_next, dot: how it was in `counted`, with rounded: see words.mako, if not "".
</%doc>
<%!
  from clconv.lowering.model.ctext import load, store, vector_type
%>
<%namespace name="pieces" file="/recurrent/pieces.mako"/>
<%namespace name="words" file="/recurrent/words.mako"/>
<%
  V = vector_type(vector)
  first = {"GRU new": 2}.get(kind, 0)
  source = "reset" if kind == "GRU new" else "h"
  f = lambda i, value: capture(pieces.activate, activations, i, V, clip, value)
  last = kind != "GRU gates"
%>
${words.declare(vector, counts) if counts else ""}
kernel __attribute__((vec_type_hint(${V}))) void ${entry}(
    global const float* restrict x, ${"long x_low, global const float* restrict x_scale, global const float* restrict bias, " if planes else ""}global const ${"char" if narrow else "float"}* restrict r,
    ${"global const float* restrict r_scale," if narrow else ""}
    ${words.parameters(dot, counts)}
% if kind == "GRU linear":
    global const float* restrict new_bias,
% endif
% if peephole:
    global const float* restrict peephole,
% endif
% if lengths:
    global const ${lengths}* restrict lengths,
% endif
    global const float* restrict h,
% if kind == "GRU gates":
    global float* restrict z, global float* restrict reset,
% elif kind == "GRU new":
    global const float* restrict z, global const float* restrict reset,
% elif kind == "LSTM":
    global float* restrict c,
% endif
% if last:
    global float* restrict h_next,
% if y:
    global float* restrict y, ${pieces.sequence_steps()},
% endif
% endif
    int batch, int hidden, int padded, int block, long x_direction, long x_time, long x_batch, int time, float clip, int t) {
  const int unit = get_global_id(0) * ${vector};
  const int b = get_global_id(1);
  const long d = get_global_id(2);
  const long line = (d * batch + b) * padded, own = line + unit;
% if lengths:
  const int length = min((int)lengths[b], time);
% else:
  const int length = time;
% endif
  if (t >= length) {
% if last:
    ${store(V, "h_next + own")} = ${load(V, "h + own")};
% if y:
    for (int j = 0; j < ${vector} && unit + j < hidden; ++j)
      y[t * y_time + b * y_batch + d * y_direction + unit + j] = 0;
% endif
% endif
    return;
  }
  const int at = ${pieces.time_of(direction)};
  global const float* input = x + d * x_direction + at * x_time + b * x_batch + unit;
  global const float* before = ${source} + line;
% if planes:
  const float x_step = x_scale[(at * x_time + b * x_batch) / (${gates} * padded)];
% endif
% if narrow:
  const float step = r_scale[d];
% endif
  global const ${"char" if narrow else "float"}* row = r + ((d * (padded / block) + unit / block) * ${{"": "hidden", "words": "((hidden + 1) / 2 * 2)", "vnni": "((hidden + 3) / 4 * 4)"}[dot]}) * ${gates} * block + unit % block;
% for g in range(gates):
% if kind == "GRU linear" and g == 2:
  ${V} g2 = ${load(V, "new_bias + d * padded + unit")};
% else:
  ${V} g${g} = ${load(V, "input + %d * (long)padded" % (first + g))};
% if planes:
  g${g} = (g${g} + ${load(V, "input + x_low + %d * (long)padded" % g)}) * x_step + ${load(V, "bias + (d * %d + %d) * (long)padded + unit" % (gates, g))};
% endif
% endif
% for u in range(1, 1 if dot or empty else unroll):
  ${V} g${g}_${u} = 0;
% endfor
% endfor
% if dot:
  ${words.add_products(V, gates, vector, dot, rounded)}\
% elif not empty:
  ${pieces.add_products(V, gates, unroll, narrow)}\
% endif
% if kind == "LSTM":
  const ${V} cell = ${load(V, "c + own")};
% if peephole:
  global const float* peep = peephole + d * 3 * padded + unit;
  g0 += ${load(V, "peep")} * cell;
  g2 += ${load(V, "peep + 2 * (long)padded")} * cell;
% endif
  const ${V} i = ${f(0, "g0")};
  const ${V} forget = ${"1.0f - i" if input_forget else f(0, "g2")};
  const ${V} next = forget * cell + i * ${f(1, "g3")};
% if peephole:
  g1 += ${load(V, "peep + padded")} * next;
% endif
  ${store(V, "c + own")} = next;
  const ${V} out = ${f(0, "g1")};
  const ${V} bent = ${capture(pieces.activate, activations, 2, V, False, "next")};
  const ${V} result = out * bent;
% elif kind == "RNN":
  const ${V} result = ${f(0, "g0")};
% elif kind == "GRU linear":
  const ${V} update = ${f(0, "g0")};
  const ${V} opened = ${f(0, "g1")};
  const ${V} total = ${load(V, "input + 2 * (long)padded")} + opened * g2;
  const ${V} result = (1.0f - update) * ${f(1, "total")} + update * ${load(V, "h + own")};
% elif kind == "GRU gates":
  ${store(V, "z + own")} = ${f(0, "g0")};
  ${store(V, "reset + own")} = ${f(0, "g1")} * ${load(V, "h + own")};
% else:
  const ${V} update = ${load(V, "z + own")};
  const ${V} result = (1.0f - update) * ${f(1, "g0")} + update * ${load(V, "h + own")};
% endif
% if last:
  ${store(V, "h_next + own")} = result;
% if counts:
  ${words.count(V, vector, counts, rounded)}\
% endif
% if y:
  global float* target = y + at * y_time + b * y_batch + d * y_direction + unit;
  ${pieces.store_units(V, vector)}\
% endif
% endif
}

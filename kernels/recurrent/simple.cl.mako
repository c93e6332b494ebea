<%doc>
A recurrent layer by its definition: one item runs one sequence in one direction from start to end.

x: times x_time and batch rows x_batch apart   w (directions, GATES * hidden, features)   r (directions, GATES * hidden, hidden)
bias (directions, 2 * GATES * hidden): of the inputs, then of the state   peephole (directions, 3 * hidden): i, o, f
initial_h, initial_c, y_h, y_c: state_direction and state_batch apart   y: see pieces.mako
work (directions, batch, (GATES + 3) * hidden): room for h, c, a copy and the gates
Index space: (batch, directions from `first` on). A sequence without any step ends in zeros.

Parameters: type; op with its gates: LSTM i, o, f, c; GRU z, r, h; RNN; given: names of the optional tensors that are
there; lengths: C type or ""; direction; activations, clip: see pieces.mako; linear: of GRU; input_forget: of LSTM.
</%doc>
<%namespace name="pieces" file="/recurrent/pieces.mako"/>
<%
  gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[op]
  f = lambda i, value: capture(pieces.activate, activations, i, type, clip, value)
  bias_of = lambda index: "bias[%s] + bias[%d * hidden + %s]" % (index, gates, index) if "bias" in given else "0"
%>
${type} ${entry}_dot(global const ${type}* a, global const ${type}* b, int count) {
  ${type} sum = 0;
  for (int i = 0; i < count; ++i) sum += a[i] * b[i];
  return sum;
}

kernel void ${entry}(
    global const ${type}* restrict x, global const ${type}* restrict w, global const ${type}* restrict r,
% for name in ("bias", "lengths", "initial_h", "initial_c", "peephole"):
% if name in given:
    global const ${lengths if name == "lengths" else type}* restrict ${name},
% endif
% endfor
% for name in ("y", "y_h", "y_c"):
% if name in given:
    global ${type}* restrict ${name},
% endif
% endfor
    global ${type}* work, int time, int batch, int features, int hidden, long x_time, long x_batch,
    ${pieces.sequence_steps()}, long state_direction, long state_batch, ${type} clip, int first) {
  const int b = get_global_id(0);
  const long d = first + get_global_id(1);
  const long state = d * state_direction + b * state_batch;
  global ${type}* h = work + (d * batch + b) * (${gates} + 3) * hidden;
  global ${type}* c = h + hidden;
  global ${type}* copy = c + hidden;
  global ${type}* gate = copy + hidden;
  w += d * ${gates} * hidden * features;
  r += d * ${gates} * hidden * hidden;
% if "bias" in given:
  bias += d * 2 * ${gates} * hidden;
% endif
% if "peephole" in given:
  peephole += d * 3 * hidden;
% endif
  for (int j = 0; j < hidden; ++j) {
    h[j] = ${"initial_h[state + j]" if "initial_h" in given else "0"};
    c[j] = ${"initial_c[state + j]" if "initial_c" in given else "0"};
  }
  const int length = ${"max(0, min((int)lengths[b], time))" if lengths else "time"};
  for (int t = 0; t < length; ++t) {
    const int at = ${pieces.time_of(direction)};
    global const ${type}* input = x + at * x_time + b * x_batch;
% if op == "GRU":
    for (int j = 0; j < 2 * hidden; ++j) {
      const ${type} sum = ${entry}_dot(input, w + (long)j * features, features)
          + ${entry}_dot(h, r + (long)j * hidden, hidden) + ${bias_of("j")};
      gate[j] = ${f(0, "sum")};
    }
    for (int j = 0; j < hidden; ++j) copy[j] = h[j]${"" if linear else " * gate[hidden + j]"};
    for (int j = 0; j < hidden; ++j) {
      const int g = 2 * hidden + j;
      ${type} sum = ${entry}_dot(input, w + (long)g * features, features);
      ${type} from_state = ${entry}_dot(copy, r + (long)g * hidden, hidden);
% if "bias" in given:
      sum += bias[g];
      from_state += bias[3 * hidden + g];
% endif
      sum += ${"gate[hidden + j] * " if linear else ""}from_state;
      h[j] = (1 - gate[j]) * ${f(1, "sum")} + gate[j] * h[j];
    }
% else:
    for (int j = 0; j < ${gates} * hidden; ++j)
      gate[j] = ${entry}_dot(input, w + (long)j * features, features) + ${entry}_dot(h, r + (long)j * hidden, hidden)
          + ${bias_of("j")};
    for (int j = 0; j < hidden; ++j) {
% if op == "RNN":
      const ${type} sum = gate[j];
      h[j] = ${f(0, "sum")};
% else:
      ${type} g0 = gate[j], g1 = gate[hidden + j], g2 = gate[2 * hidden + j], g3 = gate[3 * hidden + j];
% if "peephole" in given:
      g0 += peephole[j] * c[j];
      g2 += peephole[2 * hidden + j] * c[j];
% endif
      const ${type} i = ${f(0, "g0")};
      const ${type} forget = ${"1 - i" if input_forget else f(0, "g2")};
      const ${type} next = forget * c[j] + i * ${f(1, "g3")};
% if "peephole" in given:
      g1 += peephole[hidden + j] * next;
% endif
      c[j] = next;
      h[j] = ${f(0, "g1")} * ${capture(pieces.activate, activations, 2, type, False, "next")};
% endif
    }
% endif
% if "y" in given:
    for (int j = 0; j < hidden; ++j) y[at * y_time + b * y_batch + d * y_direction + j] = h[j];
% endif
  }
% if "y" in given:
  for (int t = length; t < time; ++t)
    for (int j = 0; j < hidden; ++j) y[t * y_time + b * y_batch + d * y_direction + j] = 0;
% endif
% for name, source in (("y_h", "h"), ("y_c", "c")):
% if name in given:
  for (int j = 0; j < hidden; ++j) ${name}[state + j] = length ? ${source}[j] : 0;
% endif
% endfor
}

<%doc>
Gradient of BatchNormalization, for CPUs; see pieces.mako for the layouts.

  with n = (x - mean) inverse:  dscale = sum of dy n,  dbias = sum of dy,  dx = scale inverse dy, and in training
  dx = scale inverse (dy - mean(dy) - n mean(dy n))

In training x - mean is corrected by its own mean, which is what rounding took from a large one. Index space: (lanes,
chunks). Stage "both": chunks is 1, and dx follows at once. Stage "sums" leaves sums of dy, dy (x - mean) and x - mean of
each chunk in parts (chunks, 3, lanes, block); stage "apply" joins them.
Parameters: block: 1 for plain x; width: of the vectors along plain pixels; run: pixels; stage; training; outputs: names
among dx, dscale, dbias.
</%doc>
<%namespace name="pieces" file="/norm/batch/pieces.mako"/>
<%!
from clconv.lowering.model.ctext import assign, load, vector_type
SUMS = ("dy_sum", "product_sum", "rest_sum")
%>
<%
  V = vector_type(block)
  W = vector_type(width)
  wide = W if block == 1 else V
  step = width if block == 1 else block
%>
## Adds what is at pixel vector C text `place` to accumulators number `k`.
<%def name="take(vector, place, k)">
      {
        const ${vector} g = ${load(vector, "dy + " + place, stored("dy"))};
        const ${vector} d = ${load(vector, "x + " + place, stored("x"))} - center;
        a${k} = a${k} + g; b${k} = g * d + b${k}; c${k} = c${k} + d;
      }
</%def>
## Stores dx at C text `place`.
<%def name="give(vector, place)">
      {
        const ${vector} g = ${load(vector, "dy + " + place, stored("dy"))};
% if training:
        const ${vector} d = ${load(vector, "x + " + place, stored("x"))} - center;
        ${assign(vector, "dx + " + place, "g * slope - d * pull + shift", stored("dx"))}
% else:
        ${assign(vector, "dx + " + place, "g * slope", stored("dx"))}
% endif
      }
</%def>
kernel __attribute__((vec_type_hint(${wide}))) void ${entry}(
    global const ${stored("x")}* restrict x, global const ${stored("dy")}* restrict dy
    , global const ${stored("mean")}* restrict mean
% if stage != "both":
    , global ${"const " if stage == "apply" else ""}float* restrict parts
% endif
% if stage != "sums":
    , global const ${stored("scale")}* restrict scale, global const ${stored("inverse")}* restrict inverse
% for name in outputs:
    , global ${stored(name)}* restrict ${name}
% endfor
% endif
    , int channels, int lanes, int pixels, int runs, int all_runs, int chunk_runs, int chunks) {
  const int lane = get_global_id(0), channel = lane * ${block};
  const int first_run = (int)get_global_id(1) * chunk_runs, last_run = min(first_run + chunk_runs, all_runs);
  const ${V} center = ${pieces.by_channel("mean", V, block)};
  ${V} dy_sum = 0, product_sum = 0, rest_sum = 0;
% if stage != "apply":
  ${pieces.each_run(run)}
    ${wide} a0 = 0, a1 = 0, b0 = 0, b1 = 0, c0 = 0, c1 = 0;
    size_t i = at * ${block};
    const size_t end = (at + n) * ${block};
    for (; i + ${2 * step} <= end; i += ${2 * step}) {
      ${take(wide, "i", 0)}
      ${take(wide, "i + %d" % step, 1)}
    }
    for (; i + ${step} <= end; i += ${step}) ${take(wide, "i", 0)}
% for letter, name in zip("abc", SUMS):
    ${letter}0 = ${letter}0 + ${letter}1;
% if block == 1:
    float ${letter}_ = ${" + ".join("%s0.s%x" % (letter, k) for k in range(width))};
% endif
% endfor
% if block == 1:
    for (; i < end; ++i) {
      const float g = ${load("float", "dy + i", stored("dy"))}, d = ${load("float", "x + i", stored("x"))} - center;
      a_ += g; b_ += g * d; c_ += d;
    }
% endif
% for letter, name in zip("abc", SUMS):
    ${name} = ${name} + ${letter}${"_" if block == 1 else "0"};
% endfor
  }
% endif
% if stage == "sums":
  global float* part = parts + (size_t)get_global_id(1) * 3 * lanes * ${block} + channel;
% for i, name in enumerate(SUMS):
  ${assign(V, "part + (size_t)%d * lanes * %d" % (i, block), name)}
% endfor
% else:
% if stage == "apply":
  for (int chunk = 0; chunk < chunks; ++chunk) {
    global const float* part = parts + (size_t)chunk * 3 * lanes * ${block} + channel;
% for i, name in enumerate(SUMS):
    ${name} = ${name} + ${load(V, "part + (size_t)%d * lanes * %d" % (i, block))};
% endfor
  }
% endif
  const float count = (float)(all_runs / runs) * (float)pixels;
  const ${V} factor = ${pieces.by_channel("inverse", V, block)}, slope = factor * ${pieces.by_channel("scale", V, block)};
% if training:
  const ${V} rest = rest_sum / count;
  const ${V} product = product_sum - rest * dy_sum;
  const ${V} pull = slope * factor * factor * product / count, shift = pull * rest - slope * dy_sum / count;
% else:
  const ${V} product = product_sum;
% endif
  if (get_global_id(1) == 0) {
% if "dscale" in outputs:
    const ${V} dscale_ = product * factor;
    ${pieces.store_channels("dscale", "dscale_", block)}
% endif
% if "dbias" in outputs:
    ${pieces.store_channels("dbias", "dy_sum", block)}
% endif
  }
% if "dx" in outputs:
  ${pieces.each_run(run)}
    size_t i = at * ${block};
    const size_t end = (at + n) * ${block};
    for (; i + ${step} <= end; i += ${step}) ${give(wide, "i")}
% if block == 1:
    for (; i < end; ++i) ${give("float", "i")}
% endif
  }
% endif
% endif
}

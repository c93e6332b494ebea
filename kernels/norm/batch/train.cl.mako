<%doc>
BatchNormalization by the statistics of the batch, for CPUs; see pieces.mako for the layouts.

  y = (x - mean) inverse * scale + bias,  inverse = 1 / sqrt(variance + epsilon)
  running = running * momentum + the batch's * (1 - momentum)

One pass takes mean and squared deviations of runs that lie in the cache, relative to the mean `top` of the first run,
and joins them (Chan, Golub and LeVeque 1979): nothing is lost where the mean is large beside the deviation, nor where it
differs between images. Index space: (lanes, chunks). Stage "both": chunks is 1, and y follows at once. Stage
"statistics" leaves count, top, mean - top and squares of each chunk in parts (chunks, 4, lanes, block); stage "apply"
joins them.
Parameters: block: 1 for plain x; width: of the vectors along plain pixels; run: pixels; stage; total, own, squares:
reductions, of v, of v - top and of (v - top - own)^2; outputs: names among mean, variance, saved_mean, saved_inverse;
epsilon, momentum: C literals; epilogue.
</%doc>
<%namespace name="common" file="/common.mako"/>
<%namespace name="pieces" file="/norm/batch/pieces.mako"/>
<%namespace name="reduce" file="/reduce.mako"/>
<%!
from clconv.lowering.model.ctext import assign, load, vector_type
%>
<%
  V = vector_type(block)
  W = vector_type(width)
  names = {"mean": ("running_mean", "whole_mean"), "variance": ("running_variance", "variance")}
%>
<%def name="reduced(op, name, shifted)">
% if block > 1:
    ${reduce.accumulate(op, name, vector_type(block), "source", block, "n")}
% else:
    ${reduce.accumulate_row(op, name, width, shifted)}
% endif
</%def>
kernel __attribute__((vec_type_hint(${V if block > 1 else W}))) void ${entry}(
    global const ${stored("x")}* restrict x
% if stage != "both":
    , global ${"const " if stage == "apply" else ""}float* restrict parts
% endif
% if stage != "statistics":
    , global const ${stored("scale")}* restrict scale, global const ${stored("bias")}* restrict bias
% for name in outputs:
% if name in names:
    , global const ${stored(names[name][0])}* restrict ${names[name][0]}
% endif
    , global ${stored("new_" + name)}* restrict new_${name}
% endfor
    , global ${stored("y")}* restrict y
% endif
    , int channels, int lanes, int pixels, int runs, int all_runs, int chunk_runs, int chunks${common.epilogue_parameters(epilogue_names) if stage != "statistics" else ""}) {
  const int lane = get_global_id(0), channel = lane * ${block};
  const int first_run = (int)get_global_id(1) * chunk_runs, last_run = min(first_run + chunk_runs, all_runs);
  float count = 0;
  ${V} top = 0, mean = 0, square = 0;
% if stage != "apply":
  ${pieces.each_run(run)}
    global const ${stored("x")}* source = x + at * ${block};
    const int vectors = n / ${width};
    if (run == first_run) {
      ${reduced(total, "first", ())}
      top = first / (float)n;
    }
    ${reduced(own, "own", ("top",))}
    own = own / (float)n;
    ${reduced(squares, "apart", ("top", "own"))}
    const float share = (float)n / (count + (float)n);
    const ${V} step = own - mean;
    square = square + apart + step * step * (count * share);
    mean = mean + step * share;
    count += (float)n;
  }
% endif
% if stage == "statistics":
  global float* part = parts + (size_t)get_global_id(1) * 4 * lanes * ${block} + channel;
% for i, name in enumerate(("(%s)(count)" % V, "top", "mean", "square")):
  ${assign(V, "part + (size_t)%d * lanes * %d" % (i, block), name)}
% endfor
% else:
% if stage == "apply":
  for (int chunk = 0; chunk < chunks; ++chunk) {
    global const float* part = parts + (size_t)chunk * 4 * lanes * ${block} + channel;
    const float n = part[0];
    const ${V} its_top = ${load(V, "part + (size_t)lanes * %d" % block)};
    if (chunk == 0) top = its_top;
    const ${V} step = (its_top - top) + ${load(V, "part + (size_t)2 * lanes * %d" % block)} - mean;
    const float share = n / (count + n);
    square = square + ${load(V, "part + (size_t)3 * lanes * %d" % block)} + step * step * (count * share);
    mean = mean + step * share;
    count += n;
  }
% endif
  const ${V} variance = square / count;
  const ${V} inverse = 1.0f / sqrt(variance + ${epsilon});
  if (get_global_id(1) == 0) {
    const ${V} whole_mean = top - top == 0 ? top + mean : top; // an infinite one stays what it is
% for name in outputs:
<%
  value = "inverse" if name == "saved_inverse" else "whole_mean"
  if name in names:
      value = "new_" + name + "_"
%>
% if name in names:
    const ${V} ${value} = ${pieces.by_channel(names[name][0], V, block)} * ${momentum} + (${names[name][1]}) * (1.0f - ${momentum});
% endif
    ${pieces.store_channels("new_" + name, value, block)}
% endfor
  }
  const ${V} a = inverse * ${pieces.by_channel("scale", V, block)}, b = ${pieces.by_channel("bias", V, block)};
  ${pieces.each_run(run)}
% if block > 1:
    for (size_t i = at * ${block}; i < (at + n) * ${block}; i += ${block}) {
      ${V} value = (${load(V, "x + i", stored("x"))} - top - mean) * a + b;
      ${common.apply_epilogue(epilogue, "value", V, "channel", "i")}
      ${assign(V, "y + i", "value", stored("y"))}
    }
% else:
    size_t i = at;
    for (; i + ${width} <= at + n; i += ${width}) {
      ${W} value = (${load(W, "x + i", stored("x"))} - top - mean) * a + b;
      ${common.apply_epilogue(epilogue, "value", W, "channel", "i", True)}
      ${assign(W, "y + i", "value", stored("y"))}
    }
    for (; i < at + n; ++i) {
      float value = (${load("float", "x + i", stored("x"))} - top - mean) * a + b;
      ${common.apply_epilogue(epilogue, "value", "float", "channel", "i", True)}
      ${assign("float", "y + i", "value", stored("y"))}
    }
% endif
  }
% endif
}

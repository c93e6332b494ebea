<%doc>
Pooling over all pixels of a channel, on channel blocks for CPUs.

  y[n, c] = max, mean or p-norm over the pixels i of x[n, c, i]

x (N, C / block, pixels, block)    y (N, C / block, 1, block)
One work-item pools one channel block of one image; index space: (C / block, N).
Four running results hide the latency of the addition; sums of 256 pixels are added up apart, so that the
error does not grow with the image.

Parameters: kind max, average, lp with power; type float; block 4, 8, 16; epilogue.
</%doc>
<%namespace name="common" file="/common.mako"/>
<%namespace name="pieces" file="/pool/pieces.mako"/>
<%!
from clconv.lowering.model.ctext import assign, load, vector_type
RUNNING = 4
RUN = 256
%>
<%
  V = vector_type(block)
  start = "(%s)(%s)" % (V, "-INFINITY" if kind == "max" else "0")
%>
## Joins a partial result into `whole`: another maximum, or a plain sum.
<%def name="join(whole, part)">\
% if kind == "max":
${pieces.take("max", 1, V, whole, part)}\
% else:
${whole} += ${part};\
% endif
</%def>
kernel __attribute__((vec_type_hint(${V}))) void ${entry}(
    global const ${stored("x", type)}* restrict x, global ${stored("y", type)}* restrict y,
    int pixels${common.epilogue_parameters(epilogue_names)}) {
  const int chunk = get_global_id(0);
  const size_t plane = (size_t)get_global_id(1) * get_global_size(0) + chunk;
  global const ${stored("x")}* image = x + plane * pixels * ${block};
  ${V} result = ${start};
  for (int run = 0; run < pixels; run += ${RUN}) {
    ${V} ${", ".join("a%d = %s" % (i, start) for i in range(RUNNING))};
    const int stop = min(run + ${RUN}, pixels);
    int i = run;
    for (; i + ${RUNNING} <= stop; i += ${RUNNING}) {
      global const ${stored("x")}* source = image + (size_t)i * ${block};
% for k in range(RUNNING):
      ${pieces.take(kind, power, V, "a%d" % k, load(V, "source + %d" % (k * block), stored("x")))}
% endfor
    }
    for (; i < stop; ++i) {
      ${pieces.take(kind, power, V, "a0", load(V, "image + (size_t)i * %d" % block, stored("x")))}
    }
% for k in range(1, RUNNING):
    ${join("a0", "a%d" % k)}
% endfor
    ${join("result", "a0")}
  }
  ${pieces.finish(kind, power, V, "result", "pixels")}
  const size_t at = plane * ${block};
  ${common.apply_epilogue(epilogue, "result", V, "chunk * %d" % block, "at")}
  ${assign(V, "y + at", "result", stored("y"))}
}

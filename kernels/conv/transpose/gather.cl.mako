<%doc>
The results of a transposed convolution whose windows may overlap, from the product of its filters and pixels: each adds
up what of the product lies at its place.

  y[n, f, o] = bias[f] + sum over k with o + P - k * D = i * S of product[n, f, k, i]

product (N, F, KH, KW, H, W)    bias (F)    y (N, F, OH, OW)
One work-item computes SW neighbours of a row, one of each phase of the stride, which see neighbours in the product;
neighbouring items read neighbouring pixels. Index space: (OH * OW / SW rounded up, F, N).
Parameters: kernel; strides; rows, columns: for each result pixel modulo the stride, first tap, distance of taps, number
of taps, and the pixel o / S - offset - j * spread of tap j; store: pixels of a store, SW or 1; bias; epilogue.
</%doc>
<%namespace name="common" file="/common.mako"/>
<%!
from clconv.lowering.model.ctext import assign, element, vector_type
%>\
<%
  KH, KW = kernel
  SH, SW = strides
  V = vector_type(store)
  table = ", ".join("{%s}" % ", ".join(map(str, row)) for row in rows)
%>
constant int ${entry}_rows[${SH}][5] = {${table}};
kernel void ${entry}(
    global const float* restrict product,
% if bias:
    global const ${stored("bias")}* restrict bias,
% endif
    global ${stored("y")}* restrict y, int filters, int height, int width, int out_height,
    int out_width${common.epilogue_parameters(epilogue_names)}) {
  const int line = (out_width + ${SW - 1}) / ${SW};
  const int oh = get_global_id(0) / line, q = get_global_id(0) - oh * line;
  if (oh >= out_height) return;
  const int f = get_global_id(1);
  const size_t plane = (size_t)height * width, image = get_global_id(2) * (size_t)filters + f;
  const int part = oh % ${SH}, first = ${entry}_rows[part][0], step = ${entry}_rows[part][1];
  const int taps = ${entry}_rows[part][2];
  const int row = oh / ${SH} - ${entry}_rows[part][3], spread = ${entry}_rows[part][4];
  float ${", ".join("c%d = 0" % r for r in range(SW))};
  for (int j = 0; j < taps; ++j) {
    const int ih = row - j * spread;
    if (ih < 0 || ih >= height) continue;
    global const float* from = product + (image * ${KH} + first + j * step) * ${KW} * plane + (size_t)ih * width;
% for r, (tap, distance, count, offset, apart) in enumerate(columns):
% for t in range(count):
    {
      const int iw = q - ${"(%d)" % (offset + t * apart)};
      if (iw >= 0 && iw < width) c${r} += from[(size_t)${tap + t * distance} * plane + iw];
    }
% endfor
% endfor
  }
  const float more = ${element("bias", "f", stored("bias")) if bias else "0"};
  const size_t at = (image * out_height + oh) * out_width + (size_t)q * ${SW};
% for r in range(0, SW, store):
  ${"if (q * %d + %d < out_width) " % (SW, r) if store == 1 and SW > 1 else ""}{
    ${V} value = (${V})(${", ".join("c%d" % (r + lane) for lane in range(store))}) + more;
    ${common.apply_epilogue(epilogue, "value", V, "f", "at + %d" % r, one_channel=True, aligned=store > 1)}
    ${assign(V, "y + at + %d" % r, "value", stored("y"), store > 1)}
  }
% endfor
}

<%doc>
The pixels that each tap of a convolution sees, as panels of columns for quantised/product/panels.

  panels[b, chunk, k, lane] = image[b * step + tap[k] + pixel[chunk * WIDTH + lane]]

image   floats with their pads; `step` of them belong to one batch, an image's channels of one group
tap     (inner): where each filter weight's pixel lies, behind the first one's
pixel   (columns, up to a whole panel): where each result's first pixel lies; ascending
panels  (batch, columns / WIDTH, inner, WIDTH)
One item makes one panel. Index space: (columns / WIDTH, batch).
Parameters: block; vectors: WIDTH = vectors * block.
</%doc>
<%!
from clconv.lowering.model.ctext import load, store, vector_type
%>
<%
  V = vector_type(block)
  WIDTH = vectors * block
%>
kernel __attribute__((vec_type_hint(${V}))) void ${entry}(
    global const float* restrict image, global const int* restrict tap, global const int* restrict pixel,
    global float* restrict panels, int inner, int step) {
  const int chunk = get_global_id(0);
  const size_t batch = get_global_id(1);
  global const int* where = pixel + chunk * ${WIDTH};
  global float* target = panels + (batch * get_global_size(0) + chunk) * inner * ${WIDTH};
% for v in range(vectors):
  const bool together${v} = where[${(v + 1) * block - 1}] - where[${v * block}] == ${block - 1};
% endfor
  for (int k = 0; k < inner; ++k, target += ${WIDTH}) {
    global const float* source = image + batch * step + tap[k];
% for v in range(vectors):
    if (together${v}) {
      ${store(V, "target + %d" % (v * block))} = ${load(V, "source + where[%d]" % (v * block))};
    } else {
% for lane in range(v * block, (v + 1) * block):
      target[${lane}] = source[where[${lane}]];
% endfor
    }
% endfor
  }
}

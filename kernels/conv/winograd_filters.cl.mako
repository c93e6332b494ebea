<%doc>
Winograd's transform of filters, U = G g G'. (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2015)

w (filters, channels, r, r); turned: (channels, filters, r, r), each window from its end to its beginning, as TurnedFilters
u  where Places in lowering/ops/conv/winograd_filters.py says: blocks of filters, neighbours in them side by side;
   filters and channels past the last are zeros.
One work-item makes `vectors` vectors of filters, of `per_item` channels. Index space: (filters / vectors, channels / per_item).
Parameters: transform: G as rows; width: filters of a vector; vectors divide the blocks of filters.
</%doc>
<%namespace name="linear" file="/conv/linear.mako"/>
<%!
from itertools import product

from clconv.lowering.model.ctext import element, store, vector_type
%>
<%
  V = vector_type(width)
  n, r = len(transform), len(transform[0])
  def lanes(v, i, j):
      tap = r * r - 1 - (i * r + j) if turned else i * r + j
      reads = (element("source", "%d * step + %d" % (v * width + lane, tap), stored("w")) for lane in range(width))
      return "(%s)(%s)" % (V, ", ".join(reads))
%>
kernel __attribute__((vec_type_hint(${V}))) void ${entry}(
    global const ${stored("w")}* restrict w, global float* restrict u, int filters, int channels,
    int filter_step, int channel_step, int u_channels,
    int u_filter_block, int u_channel_block, int u_filters_step, int u_channels_step, int u_channel_step,
    int u_position_step, int per_item) {
  const int filter = get_global_id(0) * ${width * vectors};
  const int begin = get_global_id(1) * per_item;
  const int end = begin + min(per_item, u_channels - begin);
  const size_t step = filter_step;
  global float* row = u + (size_t)(filter / u_filter_block) * u_filters_step + filter % u_filter_block;
  for (int c = begin; c < end; ++c) {
    global float* target = row + (size_t)(c / u_channel_block) * u_channels_step + (c % u_channel_block) * u_channel_step;
    ${V} g[${vectors}][${r}][${r}];
    const int left = c < channels ? filters - filter : 0;
    global const ${stored("w")}* source = w + filter * step + (size_t)c * channel_step;
    if (left >= ${width * vectors}) {
% for v, i, j in product(range(vectors), range(r), range(r)):
      g[${v}][${i}][${j}] = ${lanes(v, i, j)};
% endfor
    } else {
      for (int v = 0; v < ${vectors}; ++v)
        for (int i = 0; i < ${r * r}; ++i) {
          float values[${width}];
          for (int lane = 0; lane < ${width}; ++lane) {
            const int f = v * ${width} + lane;
            values[lane] = f < left ? ${element("source", "f * step + %s" % ("%d - i" % (r * r - 1) if turned else "i"), stored("w"))} : 0.0f;
          }
          g[v][i / ${r}][i % ${r}] = (${V})(${", ".join("values[%d]" % lane for lane in range(width))});
        }
    }
    // The vectors of a position are stored one behind the other: positions lie so far apart that the first-level cache
    // keeps few of their lines, and one that is half written would come back for the other half.
    ${V} h[${vectors}][${n}][${r}];
% for v, j in product(range(vectors), range(r)):
    {
% for i in range(r):
      const ${V} g${i} = g[${v}][${i}][${j}];
% endfor
% for i in range(n):
      h[${v}][${i}][${j}] = ${linear.combination(transform[i], "g")};
% endfor
    }
% endfor
% for i, j, v in product(range(n), range(n), range(vectors)):
    {
% for k in range(r):
      const ${V} h${k} = h[${v}][${i}][${k}];
% endfor
      ${store(V, "target + (size_t)%d * u_position_step + %d" % (i * n + j, v * width))} = ${linear.combination(transform[j], "h")};
    }
% endfor
  }
}

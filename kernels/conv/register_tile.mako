<%doc>
The inner loop that all CPU convolutions share: `pixels` x `vectors` accumulators a<p>_<v> in registers.
</%doc>
<%! from clconv.lowering.ctext import load, vector_type %>

## Adds `lanes` input channels: C variable `tap` points at their weights, lanes x (vectors * block);
## pixel(p) is C text of the address of pixel p's first lane.
<%def name="multiply(lanes, pixel, vectors, pixels, block)">
<%
  V = vector_type(block)
%>
% for c in range(lanes):
        {
% for v in range(vectors):
          const ${V} w${v} = ${load(V, "tap + %d" % ((c * vectors + v) * block))};
% endfor
% for p in range(pixels):
          { const float s = ${pixel(p)}[${c}];
% for v in range(vectors):
            a${p}_${v} = s * w${v} + a${p}_${v};
% endfor
          }
% endfor
        }
% endfor
</%def>

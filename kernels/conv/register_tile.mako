<%doc>
The inner loop that all CPU convolutions share: `pixels` x `vectors` accumulators a<p>_<v> in registers.
</%doc>
<%namespace name="common" file="/common.mako"/>
<%! from clconv.lowering.model.ctext import assign, load, vector_type %>

## Adds `lanes` input channels: C variable `tap` points at their weights, lanes x (vectors * block);
## pixel(p) is C text of the address of pixel p's first lane.
<%def name="multiply(lanes, pixel, vectors, pixels, block)">
<%
  V = vector_type(block)
%>
% for c in range(lanes):
        {
% for v in range(vectors):
          const ${V} w${v} = ${load(V, "tap + %d" % ((c * vectors + v) * block), stored("w"))};
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

## Stores the accumulators of neighbouring pixels behind y + at, after the epilogue: all of them at once, so
## that the epilogues of several pixels overlap, unless only `count` pixels are left. Without a count all are there.
<%def name="store_pixels(accumulators, count, block, epilogue, channel, at)">
<%
  V = vector_type(block)
%>
      ${"if (%s >= %d) " % (count, len(accumulators)) if count else ""}{
% for p, accumulator in enumerate(accumulators):
        ${common.apply_epilogue(epilogue, accumulator, V, channel, "%s + %d" % (at, p * block))}
% endfor
% for p, accumulator in enumerate(accumulators):
        ${assign(V, "y + %s + %d" % (at, p * block), accumulator, stored("y"))}
% endfor
      }
% if count:
      else {
        const ${V} left_over[${len(accumulators)}] = {${", ".join(accumulators)}};
        for (int p = 0; p < ${count}; ++p) {
          ${V} value = left_over[p];
          ${common.apply_epilogue(epilogue, "value", V, channel, "%s + p * %d" % (at, block))}
          ${assign(V, "y + %s + p * %d" % (at, block), "value", stored("y"))}
        }
      }
% endif
</%def>

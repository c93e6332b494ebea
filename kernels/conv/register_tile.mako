<%doc>
The inner loop that all CPU convolutions share: `pixels` x `vectors` accumulators a<p>_<v> in registers.
</%doc>
<%namespace name="common" file="/common.mako"/>
<%!
from clconv.lowering.model.ctext import assign, load, vector_type
from clconv.lowering.shared.epilogue import CHOICE, Choices
%>

## Adds `lanes` input channels: C variable `tap` points at their weights, lanes x (vectors * block);
## pixel(p) is C text of the address of pixel p's first lane. last_if: C text of when the last pixel is computed, always
## without: two widths of a tile share the text, and half the time to compile it. That pixel comes first, all its lanes at
## once: at a branch amid the others LLVM moves what is before it behind it, and has no registers for what that needs.
## half: of the last vector only the first half is computed. Its pixels are pixel(p, "again"), at an address of which the compiler
## does not know that it is the same: else it makes the long vector of a value from the short one, and has no registers for both.
<%def name="multiply(lanes, pixel, vectors, pixels, block, last_if='', half=False)">
<%
  V = [vector_type(block // 2 if half and v == vectors - 1 else block) for v in range(vectors)]
  parts = [("if (%s) " % last_if, [pixels - 1]), ("", range(pixels - 1))] if last_if else [("", range(pixels))]
%>
% for condition, tile in parts:
        ${condition}{
% for c in range(lanes):
        {
% for v in range(vectors):
          const ${V[v]} w${v} = ${load(V[v], "tap + %d" % ((c * vectors + v) * block), stored("w"))};
% endfor
% for p in tile:
          { const float s = ${pixel(p)}[${c}];
% for v in range(vectors - half):
            a${p}_${v} = s * w${v} + a${p}_${v};
% endfor
          }
% if half:
          a${p}_${vectors - 1} = ${pixel(p, "again")}[${c}] * w${vectors - 1} + a${p}_${vectors - 1};
% endif
% endfor
        }
% endfor
        }
% endfor
</%def>

## Stores the accumulators of neighbouring pixels behind y + at, after the epilogue: all of them at once, so
## that the epilogues of several pixels overlap, unless only `count` pixels are left, or the epilogue calls functions: those
## are as fast in a loop, and take long to compile for each pixel. Without a count all are there. last_if:
## when the last one is, always without. epilogue: one, or the Choices that C's variable CHOICE chooses from.
## half: the accumulators are of the first half of a block each, and the other becomes zeros.
<%def name="store_pixels(accumulators, count, block, epilogue, channel, at, last_if='', half=False)">
% if isinstance(epilogue, Choices):
      switch (${CHOICE}) {
% for number, one in enumerate(epilogue.epilogues):
      case ${number}: {
        ${store_pixels(accumulators, count, block, one, channel, at, last_if, half)}
      } break;
% endfor
      }
<% return '' %>
% endif
<%
  V = vector_type(block // 2 if half else block)
  whole_block = lambda value: "(%s)(%s, (%s)(0))" % (vector_type(block), value, V) if half else value
  numbered = list(enumerate(accumulators))
  parts = [(numbered[:-1], ""), (numbered[-1:], "if (%s) " % last_if)] if last_if else [(numbered, "")]
  looped = len(accumulators) > 1 and any("clconv_" in term.expression for term in epilogue)
  whole = "%d%s" % (len(accumulators), " - !(%s)" % last_if if last_if else "")
%>
% if not looped:
      ${"if (%s >= %s) " % (count, whole) if count else ""}{
% for part, condition in parts:
% if last_if:
        ${condition}{
% endif
% for p, accumulator in part:
        ${common.apply_epilogue(epilogue, accumulator, V, channel, "%s + %d" % (at, p * block))}
% endfor
% for p, accumulator in part:
        ${assign(vector_type(block), "y + %s + %d" % (at, p * block), whole_block(accumulator), stored("y"))}
% endfor
% if last_if:
        }
% endif
% endfor
      }
% endif
% if count or looped:
      ${"" if looped else "else "}{
        const ${V} left_over[${len(accumulators)}] = {${", ".join(accumulators)}};
% if looped:
## The compiler cannot where the number of pixels is not known, and warns.
#pragma unroll ${1 if count else 4}
% endif
        for (int p = 0; p < ${"min(%s, %s)" % (count, whole) if looped and count else count or whole}; ++p) {
          ${V} value = left_over[p];
          ${common.apply_epilogue(epilogue, "value", V, channel, "%s + p * %d" % (at, block))}
          ${assign(vector_type(block), "y + %s + p * %d" % (at, block), whole_block("value"), stored("y"))}
        }
      }
% endif
</%def>

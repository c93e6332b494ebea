<%doc>
Dropout in training of x, `total` elements: y = x / (1 - ratio) where the word of an element is at least ratio * 2^32, else
0; mask: where. Words are those of Philox4x32-10, see graph/ops/movement/philox.py: of element i, word i / 8 % 4 of
counter i / 32 * 8 + i % 8, whose upper half is the step.

One work-item draws `share` blocks of eight counters, 32 elements each; with width 1, one counter each. Index space:
(counters / width / share).
Parameters: width: counters side by side, 8 or 1; type: C type of x; result, mask: whether they are outputs; given: whether there
are seed and step; ratio: whether there is one; multipliers, weyl, rounds: of the generator.
</%doc>
<%!
from clconv.lowering.model.ctext import assign, element, load, set_element
%>
<%
  W = "ulong" if width == 1 else "ulong%d" % width
  vectors = width > 1 and type == "float"
%>
kernel void ${entry}(
    global const ${stored("x", type)}* restrict x
% if ratio:
    , global const ${stored("ratio", ratio)}* restrict ratio
% endif
% if given:
    , global const long* restrict random
% endif
% if result:
    , global ${stored("y", type)}* restrict y
% endif
% if mask:
    , global uchar* restrict mask
% endif
    , ulong seed, long total, int share) {
% if ratio:
  const ${type} dropped = ${element("ratio", "0", stored("ratio", ratio))};
% else:
  const ${type} dropped = 0.5f;
% endif
  const ulong threshold = (ulong)((float)dropped * 4294967296.0f);
  const ${type} scale = 1 / (1 - dropped);
% if given:
  const ulong other = random[0], step = random[1];
% else:
  const ulong other = 0, step = 0;
% endif
  const ulong low = 0xffffffffUL, first_key = (other ^ (seed >> 32)) & low, second_key = (seed ^ (other >> 32)) & low;
  const ulong begin = (ulong)get_global_id(0) * share;
  for (ulong block = begin; block < begin + share; ++block) {
    const ulong first = block * ${width};
    const long from = ${"block * 32" if width > 1 else "first / 8 * 32 + first % 8"};
    if (from >= total) return;
% if width > 1:
    const ${W} counter = first + (${W})(${", ".join(str(i) for i in range(width))});
% else:
    const ulong counter = first;
% endif
    ${W} a = counter & low, b = counter >> 32, c = (${W})(step & low), d = (${W})(step >> 32);
    ulong k0 = first_key, k1 = second_key;
    for (int round = 0; round < ${rounds}; ++round) {
      const ${W} p = a * ${multipliers[0]}UL, q = c * ${multipliers[1]}UL;
      a = (q >> 32) ^ b ^ k0;
      b = q & low;
      c = (p >> 32) ^ d ^ k1;
      d = p & low;
      k0 = (k0 + ${weyl[0]}UL) & low;
      k1 = (k1 + ${weyl[1]}UL) & low;
    }
% if vectors:
    if (from + 32 <= total) {
% for word, name in enumerate("abcd"):
      {
        const int8 keep = as_int16(${name} >= (${W})(threshold)).even;  // no function: AVX2 passes no such vectors
% if result:
        const float8 v = ${load("float8", "x + from + %d" % (8 * word), stored("x"))} * scale;
        ${assign("float8", "y + from + %d" % (8 * word), "keep ? v : (float8)(0)", stored("y"))}
% endif
% if mask:
% for lane in range(8):
        mask[from + ${8 * word + lane}] = keep.s${lane} ? 1 : 0;
% endfor
% endif
      }
% endfor
      continue;
    }
% endif
% for word, name in enumerate("abcd"):
% for lane in range(width):
    if (from + ${8 * word + lane} < total) {
      const int keep = ${name + ".s%x" % lane if width > 1 else name} >= threshold;
% if result:
      const ${type} v = ${element("x", "from + %d" % (8 * word + lane), stored("x"))} * scale;
      ${set_element("y", "from + %d" % (8 * word + lane), "keep ? v : 0", stored("y"))}
% endif
% if mask:
      mask[from + ${8 * word + lane}] = keep;
% endif
    }
% endfor
% endfor
  }
}

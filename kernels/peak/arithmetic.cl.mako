<%doc>
As many multiply-adds a second as the device can do: nothing but registers.

Each work-item keeps `chains` vectors of `width` floats and replaces each by a * factor + addend, `rounds`
times; then it writes the sum of its chains to y (items * width), so that the compiler cannot leave them out.
Chain c of an item starts at c + 1 in every lane. Work: 2 * width * chains * rounds operations an item.
Parameters: width 1, 2, 4, 8, 16; chains: more than latency times multiply-add units (8 on current CPUs), and
few enough for the registers.
</%doc>
<%!
from clconv.lowering.model.ctext import store, vector_type
%>
<%
  assert width in (1, 2, 4, 8, 16) and chains >= 1
  V = vector_type(width)
%>
kernel __attribute__((vec_type_hint(${V}))) void ${entry}(
    global float* restrict y, float factor, float addend, int rounds) {
% for c in range(chains):
  ${V} a${c} = (${V})(${c + 1}.0f);
% endfor
  for (int i = 0; i < rounds; ++i) {
% for c in range(chains):
    a${c} = a${c} * factor + addend;
% endfor
  }
  ${store(V, "y + get_global_id(0) * %d" % width)} = ${" + ".join("a%d" % c for c in range(chains))};
}

<%doc>
Element-wise terms on channel blocks for CPUs, with operands that repeat over pixels, channels or images.

y (batch, blocks, pixels, block)
Operand i, by kind:  full (batch, blocks, pixels, block)   gate (batch, blocks, block)
  channel (blocks, block)   mask (batch, pixels)   single (1); one that is not batched has batch 1.
One work-item computes `rows` rows, each one block of channels of one image, by `columns` pixels.
Index space: (pixels / columns, batch * blocks / rows).
Parameters: block 2..16; operands: (input index, kind, batched); terms: expressions that read v<index>.
</%doc>
<%namespace name="common" file="/common.mako"/>
<%!
from clconv.lowering.model.ctext import assign, element, load, vector_type
%>
<%
  V = vector_type(block)
  base = lambda batched: "n" if batched else "0"
%>
kernel __attribute__((vec_type_hint(${V}))) void ${entry}(
% for i, kind, batched in operands:
    global const ${stored("x%d" % i)}* restrict x${i},
% endfor
    global ${stored("y")}* restrict y, int batch, int blocks, int pixels, int rows, int columns) {
  const int begin = get_global_id(0) * columns;
  const int end = begin + min(columns, pixels - begin);
  const int row_end = (int)get_global_id(1) * rows + min(rows, batch * blocks - (int)get_global_id(1) * rows);
  for (int row = get_global_id(1) * rows; row < row_end; ++row) {
    const int n = row / blocks;
    const int c = row - n * blocks;
% for i, kind, batched in operands:
% if kind == "full":
    global const ${stored("x%d" % i)}* p${i} = x${i} + ((size_t)${base(batched)} * blocks + c) * pixels * ${block};
% elif kind == "mask":
    global const ${stored("x%d" % i)}* p${i} = x${i} + (size_t)${base(batched)} * pixels;
% elif kind == "gate":
    const ${V} v${i} = ${load(V, "x%d + ((size_t)%s * blocks + c) * %d" % (i, base(batched), block), stored("x%d" % i))};
% elif kind == "channel":
    const ${V} v${i} = ${load(V, "x%d + c * %d" % (i, block), stored("x%d" % i))};
% else:
    const ${V} v${i} = (${V})(${element("x%d" % i, "0", stored("x%d" % i))});
% endif
% endfor
    global ${stored("y")}* out = y + (size_t)row * pixels * ${block};
    for (int p = begin; p < end; ++p) {
% for i, kind, batched in operands:
% if kind == "full":
      const ${V} v${i} = ${load(V, "p%d + (size_t)p * %d" % (i, block), stored("x%d" % i))};
% elif kind == "mask":
      const ${V} v${i} = (${V})(${element("p%d" % i, "p", stored("x%d" % i))});
% endif
% endfor
      ${V} value;
      ${common.apply_epilogue(terms, "value", V, "0", "0")}
      ${assign(V, "out + (size_t)p * %d" % block, "value", stored("y"))}
    }
  }
}

<%doc>
Padding in any mode: rows of y from rows of x.

x        row-major axes of any size, of which kept0, kept1, ... remain after cropping, from x_offset on; stride0, ...
y        row-major axes out0, out1, ..., each `begin` elements longer in front and some behind
Behind the last axis lie `unit` elements that stay together (channel lanes, or axes that are not padded).
value    one element, the padding of mode "constant"; without it zero
On CPUs (width > 1) one item does `chunk` rows, a row being the last axis and its units: (1, rows / chunk). On GPUs
one item does one element of `chunk` rows: (out * unit, rows / chunk).
Parameters: type: an unsigned integer of the element's size; width: vector lanes; rank: axes; mode: see
common.padded_index; given: whether there is `value`; single: unit is 1.
</%doc>
<%namespace name="common" file="/common.mako"/>
<%namespace name="run" file="/movement/run.mako"/>
<%
  last = rank - 1
  U = "1" if single else "unit"
%>
## Padding pixels of the last axis from FIRST to END: one by one.
<%def name="border(first, end)">
% if mode == "constant":
      {
        const int count = (${end} - (${first})) * ${U};
        global ${type}* target = to + (long)(${first}) * ${U};
        ${run.fill(entry, type, width, "target", "padding", "count")}
      }
% else:
      for (int pixel = ${first}; pixel < ${end}; ++pixel) {
        const int index = pixel - begin${last};
        global const ${type}* s = from + (long)(${common.padded_index(mode, "index", "kept%d" % last)}) * ${U};
% if single:
        to[pixel] = s[0];
% else:
        global ${type}* t = to + (long)pixel * unit;
        ${run.copy(entry, width, "t", "s", "unit")}
% endif
      }
% endif
</%def>
${run.vector_type(entry, type, width)}
kernel void ${entry}(
    global const ${type}* restrict x,
% if given:
    global const ${type}* restrict value,
% endif
    global ${type}* restrict y, long x_offset
% for what in ("int out", "int kept", "int begin", "long stride"):
% for i in range(rank):
    , ${what}${i}
% endfor
% endfor
    , int unit, int rows, int chunk) {
  const ${type} padding = ${"value[0]" if given else "0"};
  const int row_begin = get_global_id(1) * chunk;
  const int row_end = row_begin + min(chunk, rows - row_begin);
  for (int row = row_begin; row < row_end; ++row) {
    global ${type}* to = y + (long)row * out${last} * ${U};
    global const ${type}* from = x + x_offset;
    int outside = 0;
% if rank > 1:
    int rest = row;
% for i in reversed(range(last)):
    {
% if i:
      const int index = rest % out${i} - begin${i};
      rest /= out${i};
% else:
      const int index = rest - begin0;
% endif
% if mode == "constant":
      outside |= index < 0 || index >= kept${i};
% endif
      from += (${common.padded_index(mode, "index", "kept%d" % i)}) * stride${i};
    }
% endfor
% endif
% if width == 1:
    const int element = get_global_id(0);
    const int index = element / ${U} - begin${last};
% if mode == "constant":
    outside |= index < 0 || index >= kept${last};
% endif
    to[element] = outside ? padding : from[(long)(${common.padded_index(mode, "index", "kept%d" % last)}) * ${U} + element % ${U}];
% else:
    if (outside) {
      const int count = out${last} * ${U};
      ${run.fill(entry, type, width, "to", "padding", "count")}
      continue;
    }
    ${border("0", "begin%d" % last)}
    {
      global ${type}* target = to + (long)begin${last} * ${U};
      const int count = kept${last} * ${U};
      ${run.copy(entry, width, "target", "from", "count")}
    }
    ${border("begin%d + kept%d" % (last, last), "out%d" % last)}
% endif
  }
}

<%doc>
Pooling on plain tensors for GPUs: a work-group reads the pixels under `rows` rows of results once, each work-item those of a
column, side by side, and puts columns together through local memory.

  y[n, c, oh, ow] = max, mean or p-norm over kh, kw of x[n, c, oh * S - P + kh * D, ...]

x (N, C, H, W)    y (N, C, OH, OW)
A work-group computes `rows` x `strip` results of `together` planes (images' channels), from `columns` columns of each plane:
`together` * `columns` is at most `items`, and `columns` a multiple of the stride. Columns lie in local memory by their place
within a stride, so that items side by side read neighbours. Items find their places by products instead of quotients:
`per_NAME` is 2^16 / NAME rounded up, which is exact for up to 256 items.
Index space: local (items, 1, 1); groups (row tiles * strips, plane tiles by two axes), for an axis may have 65535 groups.
Pixels of padding "constant" are left out (an average counts them with count_pads); of the other modes they
are image values. What a window of ceil mode covers beyond the padded image is left out.

Parameters: kind max, average, lp with power; items; rows, a power of two; read: the rows under them, from the first one on; line:
floats from one place within a stride to the next; lots: items that share a column of results; whole: rows of results are one
strip each; kernel, strides, dilations: (height, width); pad_mode none, constant, reflect, edge, wrap; count_pads; epilogue.
</%doc>
<%namespace name="common" file="/common.mako"/>
<%namespace name="pieces" file="/pool/pieces.mako"/>
<%!
from clconv.lowering.model.ctext import element, set_element
%>
<%
  KH, KW = kernel
  SH, SW = strides
  DH, DW = dilations
  start = "-INFINITY" if kind == "max" else "0"
  average = kind == "average"
  constant_count = pad_mode == "none"
%>
## Whether `index` counts as a pixel, and as which; one that does not is any pixel.
<%def name="fold(name, index, size, end)">\
% if pad_mode in ("none", "constant"):
    const int ${name} = min((uint)(${index}), (uint)${size} - 1);
% if pad_mode == "constant":
    const int ${name}_counts = (uint)(${index}) < (uint)${size};
% endif
% else:
    const int ${name}_at = ${index};
    const int ${name}_counts = ${name}_at < ${size} + ${end};
    const int ${name} = clamp(${common.padded_index(pad_mode, name + "_at", size)}, 0, ${size} - 1);
% endif
</%def>
## Statements that make float `result` of the values.
<%def name="together_of(result, values)">
% if kind == "max":
    float ${result} = ${values[0]};
    {
      int is_nan = ${result} != ${result};
% for value in values[1:]:
      { const float v = ${value}; ${result} = fmax(${result}, v); is_nan |= v != v; }
% endfor
      ${result} = is_nan ? NAN : ${result};
    }
% else:
    float ${result} = ${" + ".join(values)};
% endif
</%def>
kernel __attribute__((reqd_work_group_size(${items}, 1, 1))) void ${entry}(
    global const ${stored("x")}* restrict x, global ${stored("y")}* restrict y, int channels, int planes, int strips,
    int strip, int columns, int together, int per_columns, int per_strip, int per_lot, int height, int width,
    int out_height, int out_width, int pad_top, int pad_left, int pad_bottom,
    int pad_right${common.epilogue_parameters(epilogue_names)}) {
  local float sums[${rows * SW * line}];
  const int id = get_local_id(0);
  const int first_plane = ((int)get_group_id(2) * (int)get_num_groups(1) + (int)get_group_id(1)) * together;
% if whole:
  const int first_row = (int)get_group_id(0) * ${rows}, first_column = 0;
% else:
  const int row_tile = (int)get_group_id(0) / strips;
  const int first_row = row_tile * ${rows}, first_column = ((int)get_group_id(0) - row_tile * strips) * strip;
% endif
  {
    const int own = id * per_columns >> 16;
    const int top = first_row * ${SH} - pad_top;
    const int left = first_column * ${SW} - pad_left + id - own * columns;
${fold("column", "left", "width", "pad_right")}
    global const ${stored("x")}* image = x + (size_t)min(first_plane + own, planes - 1) * (height * width) + column;
% for r in read:
${fold("row%d" % r, "top + %d" % r, "height", "pad_bottom")}
    float s${r} = ${element("image", "row%d * width" % r, stored("x"))};
% endfor
% if pad_mode != "none":
% for r in read:
    s${r} = row${r}_counts ? s${r} : ${start};
% endfor
% endif
% if kind == "lp":
% for r in read:
    s${r} = ${"fabs(s%d)" % r if power == 1 else "pow(fabs(s%d), %d.0f)" % (r, power) if power > 8 else " * ".join(["fabs(s%d)" % r] * power)};
% endfor
% endif
% for p in range(rows):
    ${together_of("a%d" % p, ["s%d" % (p * SH + kh * DH) for kh in range(KH)])}
    sums[${p * SW * line} + id % ${SW} * ${line} + id / ${SW}] = ${"a%d" % p if pad_mode == "none" else "column_counts ? a%d : %s" % (p, start)};
% endfor
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  // Of every ${lots} rows an item finishes one.
  const int lot = id * per_lot >> 16;
  const int within = id - lot * (together * strip);
  const int own = within * per_strip >> 16;
  const int place = within - own * strip;
  const int ow = first_column + place;
  const int plane = first_plane + own;
  if (lot >= ${lots} || plane >= planes || ow >= out_width) return;
  const int channel = plane % channels;
  local const float* line = sums + lot * ${SW * line} + own * (columns / ${SW}) + place;
  const int first = (first_row + lot) * out_width + ow;
  const size_t begin = (size_t)plane * (out_height * out_width);
% if average and not constant_count:
<%
  limits = {"row": ("-pad_top", "height + pad_bottom"), "column": ("-pad_left", "width + pad_right")}
  if not count_pads:
      limits = {"row": ("0", "height"), "column": ("0", "width")}
  counted = lambda axis, at: "(%s >= %s && %s < %s)" % (at, limits[axis][0], at, limits[axis][1])
%>
  const int left = ow * ${SW} - pad_left;
  const float part = 1.0f / max(${" + ".join(counted("column", "left + %d" % (kw * DW)) for kw in range(KW))}, 1);
% endif
% for p in range(0, rows, lots):
  if (first_row + ${p} + lot < out_height) {
    ${together_of("a", ["line[%d]" % (p * SW * line + kw * DW % SW * line + kw * DW // SW) for kw in range(KW)])}
% if average and constant_count:
    a *= ${1 / (KH * KW)}f;
% elif average:
    const int top = (first_row + ${p} + lot) * ${SH} - pad_top;
    const int count = ${" + ".join(counted("row", "top + %d" % (kh * DH)) for kh in range(KH))};
    float share = ${1 / KH}f;
    if (count != ${KH}) share = 1.0f / max(count, 1);
    a *= part * share;
% else:
    ${pieces.finish(kind, power, "float", "a", "")}
% endif
    const size_t at = begin + (first + ${p} * out_width);
    ${common.apply_epilogue(epilogue, "a", "float", "channel", "at")}
    ${set_element("y", "at", "a", stored("y"))}
  }
% endfor
}

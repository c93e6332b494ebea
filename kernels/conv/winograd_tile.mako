<%doc>
What the kernels of Winograd's convolution on plain tensors share. Import with
  <%namespace name="tile" file="/conv/winograd_tile.mako"/>
</%doc>
<%namespace name="common" file="/common.mako"/>
<%namespace name="linear" file="/conv/linear.mako"/>
<%!
from clconv.lowering.model.ctext import assign, element, vector_type
%>
## Rows and columns of the n x n pixels from (top, left) on, of an image of height x width, and masks that are 0 where a
## pixel is outside and counts as zero. Another is read in its place: no condition for each of them.
<%def name="edges(n, pad_mode)">
% for name, begin, size in (("row", "top", "height"), ("column", "left", "width")):
% for i in range(n):
  int ${name}${i} = ${begin} + ${i};
% if pad_mode in ("none", "constant"):
  const int ${name}_mask${i} = ${name}${i} >= 0 && ${name}${i} < ${size} ? -1 : 0;
% else:
  const int ${name}_mask${i} = ${name}${i} + pad_${begin} < padded_${size} ? -1 : 0;
  ${name}${i} = ${common.padded_index(pad_mode, "%s%d" % (name, i), size)};
% endif
  ${name}${i} = clamp(${name}${i}, 0, ${size} - 1);
% endfor
% endfor
</%def>
## `corner`: the first pixel that may be read of a channel from (top, left) on, and how far from it an item reads in the place of
## pixels that are outside. Both times `scale`: 1, or the bytes of an element.
<%def name="corner(channel, scale)">
  const uint beside = (max(-top, 0) * width + max(-left, 0)) * ${scale};
  long corner = (((long)image * channels + ${channel}) * height * width + min(top, height - 1) * width + min(left, width - 1)) * ${scale};
</%def>
## The pixel so far from `corner` if its bit of `now` is set, else another.
<%def name="pixel(bit, far, scale)"><%
  distance = "corner + (now & %d ? (uint)((%s) * %d) : beside)" % (bit, far, scale)
  place = ("x", distance) if scale == 1 else ("((global const %s*)((global const char*)x + (%s)))" % (stored("x"), distance), "0")
%>${element(*place, stored("x"))}</%def>
## B' d of the array d.
<%def name="columns_transformed(transform)">
<% n = len(transform) %>\
% for j in range(n):
  {
% for i in range(n):
    const float c${i} = d[${i}][${j}];
% endfor
% for i in range(n):
    d[${i}][${j}] = ${linear.combination(transform[i], "c")};
% endfor
  }
% endfor
</%def>
## y = A' M A of one tile, then bias `offset` and epilogue. read(position): C text of an element of M. `plane` is the first
## row of the filter's image, (row, column) the tile's place.
<%def name="results(transform, width, read, epilogue)">
<%
  m, n = len(transform), len(transform[0])
  V = vector_type(width)
%>\
  float half_done[${m}][${n}];
% for j in range(n):
  {
% for i in range(n):
    const float c${i} = ${read(i * n + j)};
% endfor
% for i in range(m):
    half_done[${i}][${j}] = ${linear.combination(transform[i], "c")};
% endfor
  }
% endfor
% for i in range(m):
  if (row * ${m} + ${i} < out_height) {
% for j in range(n):
    const float r${j} = half_done[${i}][${j}];
% endfor
    const size_t at = (plane + row * ${m} + ${i}) * out_width + column * ${m};
% for j in range(0, m, width):
    if (column * ${m} + ${j} < out_width) {
<%
  values = ["%s + offset" % capture(linear.combination, transform[j + lane], "r").strip() for lane in range(width)]
%>
      ${V} value = (${V})(${", ".join(values)});
      ${common.apply_epilogue(epilogue, "value", V, "f", "at + %d" % j, one_channel=True, aligned=True)}
      ${assign(V, "y + at + %d" % j, "value", stored("y"), True)}
    }
% endfor
  }
% endfor
</%def>

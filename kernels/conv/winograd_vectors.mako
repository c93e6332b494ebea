<%doc>
A tile of Winograd's transforms on channel blocks: read, then transformed along columns and rows. d[..][..] holds it.
</%doc>
<%namespace name="common" file="/common.mako"/>
<%namespace name="linear" file="/conv/linear.mako"/>
<%!
from clconv.lowering.model.ctext import load, store, vector_type
%>
## n x n pixels from row `top`, column `left` on, of an image `plane` of the buffer `name`; what is outside is padded.
<%def name="read(n, block, name, plane, height, width, pad_mode)">\
<%
  V = vector_type(block)
%>\
    if (top >= 0 && left >= 0 && top + ${n} <= ${height} && left + ${n} <= ${width}) {
      global const ${stored(name)}* source = ${plane} + ((size_t)top * ${width} + left) * ${block};
% for i in range(n):
% for j in range(n):
      d[${i}][${j}] = ${load(V, "source + %d * %s * %d + %d" % (i, width, block, j * block), stored(name))};
% endfor
% endfor
    } else {
      ${outside(n, block, name, plane, height, width, pad_mode)}
    }
</%def>
## Pixel by pixel.
<%def name="outside(n, block, name, plane, height, width, pad_mode)">\
<%
  V = vector_type(block)
%>\
      for (int i = 0; i < ${n}; ++i)
        for (int j = 0; j < ${n}; ++j) {
          int ih = top + i, iw = left + j;
% if pad_mode in ("none", "constant"):
          const int outside = ih < 0 || ih >= ${height} || iw < 0 || iw >= ${width};
% else:
          const int outside = ih + pad_top >= padded_height || iw + pad_left >= padded_width;
          if (!outside) {
            ih = ${common.padded_index(pad_mode, "ih", height)};
            iw = ${common.padded_index(pad_mode, "iw", width)};
          }
% endif
          if (outside) d[i][j] = (${V})(0);
          else d[i][j] = ${load(V, "%s + ((size_t)ih * %s + iw) * %d" % (plane, width, block), stored(name))};
        }
</%def>
## The same and transformed: T d T', to the places of transformed(). Pixels inside the image are read where they lie, not copied
## first. T: square. streamed: past the caches, at multiples of a vector, where T is transformed in registers.
<%def name="read_transformed(T, block, name, plane, height, width, pad_mode, streamed=False)">\
<%
  V = vector_type(block)
  n = len(T)
%>\
    global const float* source = ${plane} + ((long)top * ${width} + left) * ${block};
    int pitch = ${width} * ${block};
    if (top < 0 || left < 0 || top + ${n} > ${height} || left + ${n} > ${width}) {
      ${outside(n, block, name, plane, height, width, pad_mode)}
      source = (global const float*)(size_t)d;
      pitch = ${n * block};
    }
% if block == 16 and n <= 6:
    ${in_registers(T, block, streamed)}
% else:
    // Column j of d is read before it is overwritten.
    for (int j = 0; j < ${n}; ++j, source += ${block}) {
% for i in range(n):
      const ${V} c${i} = ${load(V, "source + %d * pitch" % i)};
% endfor
      ${linear.halves(T, "c", V)}
% for i in range(n):
      d[${i}][j] = ${linear.row(T, i, "c")};
% endfor
    }
    ${rows_transformed(T, block)}
% endif
</%def>
## The same of what `source` points at, rows of `pitch` floats, in 32 registers: some rows of T d at a time, those together that share sums.
<%def name="in_registers(T, block, streamed)">\
<%
  V = vector_type(block)
  n = len(T)
  groups = [range(n)] if n * n <= 16 else [range(0, n // 2), range(n // 2, n)]
%>\
% for rows in groups:
    {
      ${V} ${", ".join("d%d_%d" % (i, j) for i in rows for j in range(n))};
% for j in range(n):
      {
% for i in range(n):
        const ${V} c${i} = ${load(V, "source + %d * pitch + %d" % (i, j * block))};
% endfor
        ${linear.halves(T, "c", V)}
% for i in rows:
        d${i}_${j} = ${linear.row(T, i, "c")};
% endfor
      }
% endfor
% for i in rows:
      {
% for j in range(n):
        const ${V} r${j} = d${i}_${j};
% endfor
        ${linear.halves(T, "r", V)}
% for j in range(n):
<% place = "target + %d * position" % (i * n + j) %>\
% if streamed:
        __builtin_nontemporal_store(${linear.row(T, j, "r")}, (global ${V}*)(${place}));
% else:
        ${store(V, place)} = ${linear.row(T, j, "r")};
% endif
% endfor
      }
% endfor
    }
% endfor
</%def>
## T d T', to `target` + (row * rows + column) * position. T: at least as many rows as columns.
<%def name="transformed(T, block)">\
<%
  V = vector_type(block)
  rows, n = len(T), len(T[0])
%>\
    // Columns first: d = T d, then each row: d T'.
    for (int j = 0; j < ${n}; ++j) {
% for i in range(n):
      const ${V} c${i} = d[${i}][j];
% endfor
      ${linear.halves(T, "c", V)}
% for i in range(rows):
      d[${i}][j] = ${linear.row(T, i, "c")};
% endfor
    }
    ${rows_transformed(T, block)}
</%def>
## Each row of d by T: d T', to the same places.
<%def name="rows_transformed(T, block)">\
<%
  V = vector_type(block)
  rows, n = len(T), len(T[0])
%>\
    for (int i = 0; i < ${rows}; ++i) {
% for j in range(n):
      const ${V} r${j} = d[i][${j}];
% endfor
      ${linear.halves(T, "r", V)}
% for j in range(rows):
      ${store(V, "target + (i * %d + %d) * position" % (rows, j))} = ${linear.row(T, j, "r")};
% endfor
    }
</%def>

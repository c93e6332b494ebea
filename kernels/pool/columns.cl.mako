<%doc>
MaxPool on channel blocks for CPUs: the largest of each column of the windows once, for all windows that it is in.

  y[n, c, oh, ow] = max over kh, kw of x[n, c, oh * S - P + kh * D, ...]

x (N, C / block, H, W, block)    y (N, C / block, OH, OW, block)
One work-item computes `rows` output rows of one channel block of one image. Index space: (row items, C / block, N).
Pixels of padding and beyond are left out: rows of a window that lie outside are one of its other rows again, and windows
that reach over the sides are computed pixel by pixel. A NaN stays: of two values that do not compare, `a > b ? a : b` is the
second, so the last one of a chain stays, and a mask of the others that are NaN, which is all ones, makes the result one.

Parameters: block 4, 8, 16; pixels: results that are computed together; kernel, strides, dilations: (height, width); epilogue.
</%doc>
<%namespace name="common" file="/common.mako"/>
<%!
from clconv.lowering.model.ctext import assign, load, vector_type
%>
<%
  V = vector_type(block)
  I = vector_type(block, "int")
  KH, KW = kernel
  SH, SW = strides
  DH, DW = dilations
  written = set()
%>
<%def name="finish(value, at)">
      ${common.apply_epilogue(epilogue, value, V, "chunk * %d" % block, at)}
      ${assign(V, "y + " + at, value, stored("y"))}
</%def>
## Makes V variable `result` of the V variables `names`.
<%def name="largest(result, names)">
        ${V} ${result} = ${names[-1]};
% for name in reversed(names[:-1]):
        ${result} = ${name} > ${result} ? ${name} : ${result};
% endfor
% if len(names) > 1:
        ${result} = as_${V}(as_${I}(${result}) | ${" | ".join("(%s != %s)" % (name, name) for name in names[:-1])});
% endif
</%def>
<%def name="column(c)">
% for kh in range(KH):
        const ${V} x${kh}_${c} = ${load(V, "line%d + (left + %d) * %d" % (kh, c, block), stored("x"))};
% endfor
        ${largest("c%d" % c, ["x%d_%d" % (kh, c) for kh in range(KH)])}
</%def>
kernel __attribute__((vec_type_hint(${V}))) void ${entry}(
    global const ${stored("x")}* restrict x, global ${stored("y")}* restrict y, int height, int width, int out_height,
    int out_width, int pad_top, int pad_left, int rows${common.epilogue_parameters(epilogue_names)}) {
  const int chunk = get_global_id(1);
  const size_t plane = (size_t)get_global_id(2) * get_global_size(1) + chunk;
  global const ${stored("x")}* image = x + plane * height * width * ${block};
  const int row_end = (int)get_global_id(0) * rows + min(rows, out_height - (int)get_global_id(0) * rows);
  // Windows from `begin` to before `end` have all their columns.
  const int begin = min((pad_left + ${SW - 1}) / ${SW}, out_width);
  const int beyond = width + pad_left - ${(KW - 1) * DW};
  const int end = beyond > 0 ? min((beyond + ${SW - 1}) / ${SW}, out_width) : 0;
  for (int oh = get_global_id(0) * rows; oh < row_end; ++oh) {
    const int top = oh * ${SH} - pad_top;
    const size_t line_out = (plane * out_height + oh) * out_width;
    int low = 0, high = ${KH - 1};
    while (low < ${KH} && top + low * ${DH} < 0) ++low;
    while (high >= 0 && top + high * ${DH} >= height) --high;
    const int tiled = low <= high && end - begin >= ${pixels};
% for kh in range(KH):
    global const ${stored("x")}* line${kh} = image + (tiled ? (size_t)(top + max(min(${kh}, high), low) * ${DH}) * width * ${block} : 0);
% endfor
    for (int ow = 0; ow < out_width;) {
      if (tiled && ow >= begin && ow < end) {
        // The last tile moves back so that it is full; it computes some pixels again.
        const int first = min(ow, end - ${pixels});
        const int left = first * ${SW} - pad_left;
        const size_t at = (line_out + first) * ${block};
% for p in range(pixels):
<% columns = [p * SW + kw * DW for kw in range(KW)] %>
% for c in columns:
% if c not in written:
        ${column(c)}
<% written.add(c) %>
% endif
% endfor
        ${largest("a%d" % p, ["c%d" % c for c in columns])}
        ${finish("a%d" % p, "at + %d" % (p * block))}
% endfor
        ow = first + ${pixels};
        continue;
      }
      ${V} a = (${V})(-INFINITY);
      for (int kh = low; kh <= high; ++kh) {
        for (int kw = 0; kw < ${KW}; ++kw) {
          const int iw = ow * ${SW} - pad_left + kw * ${DW};
          if (iw < 0 || iw >= width) continue;
          const ${V} v = ${load(V, "image + ((size_t)(top + kh * %d) * width + iw) * %d" % (DH, block), stored("x"))};
          ${largest("next", ["v", "a"])}
          a = next;
        }
      }
      const size_t at = (line_out + ow) * ${block};
      ${finish("a", "at")}
      ++ow;
    }
  }
}

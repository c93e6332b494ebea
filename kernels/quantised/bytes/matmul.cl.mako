<%doc>
Rows of bytes times a matrix of bytes, as floats, for CPUs: a register tile of `tile_rows` x `vectors` accumulators of int32,
and four inner indices at a time.

x (rows, inner) of uchar    w (columns / WIDTH, quads, WIDTH, 4) of char with WIDTH = vectors * lanes, zeros behind the last
inner index and column      zero, scale: of x      y (rows, columns) of float
sums, multiplier, added: one for each column, padded to WIDTH; see pieces.mako
One work-item computes `per_item` rows of WIDTH columns. Index space: (row items, columns / WIDTH).

Parameters: lanes; vectors; tile_rows; dot: see pieces.mako; added: whether there is a bias; epilogue.
</%doc>
<%namespace name="common" file="/common.mako"/>
<%namespace name="pieces" file="/quantised/bytes/pieces.mako"/>
<%!
from clconv.lowering.model.ctext import set_element
%>
<%
  WIDTH = vectors * lanes
  R, VECTORS = range(tile_rows), range(vectors)
  F = "float%d" % lanes
%>
${pieces.declare(lanes, dot)}
<%def name="multiply(fours)">
% for v in VECTORS:
        const byte_ints w${v} = *(global const byte_ints_u*)(source + ${v * lanes * 4});
% endfor
% for r in R:
        {
          const byte_ints s = (byte_ints)(${fours % r});
% for v in VECTORS:
          a${r}_${v} = BYTE_DOT_${dot.upper().replace(" ", "_")}(a${r}_${v}, s, w${v});
% endfor
        }
% endfor
</%def>
kernel __attribute__((vec_type_hint(int${lanes}))) void ${entry}(
    global const uchar* restrict x, global const char* restrict w, ${pieces.operands(True, False, added)}
    int rows, int inner, int columns, int per_item${common.epilogue_parameters(epilogue_names)}) {
  const int x_zero = zero[0];
  const int column = get_global_id(1) * ${WIDTH};
  const int whole = inner / 4, rest = inner - 4 * whole;
  global const char* filter = w + (size_t)column * 4 * (whole + (rest > 0));
  const int begin = get_global_id(0) * per_item;
  const int end = begin + per_item < rows ? begin + per_item : rows;
  for (int tile = begin; tile < end; tile += ${tile_rows}) {
    // The last tile moves back so that it is full; it computes some rows again.
    const int back = tile < end - ${tile_rows} ? tile : end - ${tile_rows};
    const int first = back > begin ? back : begin;
% for r in R:
    global const uchar* x${r} = x + (size_t)(first + ${r} < end ? first + ${r} : end - 1) * inner;
% endfor
% for v in VECTORS:
    byte_ints a0_${v} = ${pieces.first_sums("column + %d" % (v * lanes), True)};
% endfor
% for r in R[1:]:
    byte_ints ${", ".join("a%d_%d = a0_%d" % (r, v, v) for v in VECTORS)};
% endfor
    global const char* source = filter;
    for (int k = 0; k < whole; ++k, source += ${WIDTH * 4}) {
      ${multiply("*(global const int*)(x%d + k * 4)")}
    }
    if (rest) {
      int last[${tile_rows}];
% for r in R:
      last[${r}] = 0;
      for (int i = 0; i < rest; ++i) last[${r}] |= (int)x${r}[whole * 4 + i] << 8 * i;
% endfor
      ${multiply("last[%d]")}
    }
% for v in VECTORS:
    {
      const int place = column + ${v * lanes};
      ${pieces.factor("place", True, added)}
      if (place + ${lanes} <= columns) {
% for r in R:
        if (first + ${r} < end) {
          const size_t at = (size_t)(first + ${r}) * columns + place;
          ${F} f = __builtin_convertvector(a${r}_${v}, byte_floats) * factor${" + shift" if added else ""};
          ${common.apply_epilogue(epilogue, "f", F, "place", "at")}
          *(global byte_floats_u*)(y + at) = f;
        }
% endfor
      } else {
        float results[${tile_rows}][${lanes}];
% for r in R:
        *(private byte_floats_u*)results[${r}] = __builtin_convertvector(a${r}_${v}, byte_floats) * factor${" + shift" if added else ""};
% endfor
        for (int r = 0; r < ${tile_rows} && first + r < end; ++r)
          for (int lane = 0; place + lane < columns; ++lane) {
            const size_t at = (size_t)(first + r) * columns + place + lane;
            float value = results[r][lane];
            ${common.apply_epilogue(epilogue, "value", "float", "(place + lane)", "at")}
            ${set_element("y", "at", "value", stored("y"))}
          }
      }
    }
% endfor
  }
}

<%doc>
Products of a state with a line of recurrent weights of bytes, exact but for the state, which is rounded to 16 bits: two units at
a time by vpmaddwd, or four, high and low bytes of the state apart, by vpdpbusd. Import with
  <%namespace name="words" file="/recurrent/words.mako"/>
dot: "words" or "vnni". rounded: so many steps to 1 that states, -1 to 1, are counted in. A state so counted, written by the step
that makes it, is (padded) of short, or, of "vnni", of uchar, (2, padded): low and high bytes of what is counted from -32768 on.
r is (directions, padded / block, n-tuples of hidden, GATES, block, n), n 2 or, of "vnni", 4; r_sums, of "vnni", its sums over
hidden (directions, padded / block, GATES, block).
</%doc>

## Of a kernel, besides r.
<%def name="parameters(dot, counts)">\
${"global const int* restrict r_sums," if dot == "vnni" else ""} ${"global const uchar* restrict counted," if dot else ""} \
${"global uchar* restrict counted_next," if counts else ""}\
</%def>
## Before a kernel.
<%def name="declare(vector, dot)">\
#ifndef RECURRENT_WORDS
#define RECURRENT_WORDS
typedef int recurrent_sums __attribute__((ext_vector_type(${vector})));
typedef int recurrent_sums_u __attribute__((ext_vector_type(${vector}), aligned(1)));
% if dot == "vnni":
typedef uchar recurrent_bytes __attribute__((ext_vector_type(${vector}), aligned(1)));
#define RECURRENT_DOT(sum, x, w) __builtin_ia32_vpdpbusd${32 * vector}(sum, x, *(global const recurrent_sums_u*)(w))
% else:
typedef char recurrent_pairs __attribute__((ext_vector_type(${2 * vector}), aligned(1)));
typedef short recurrent_words __attribute__((ext_vector_type(${2 * vector})));
typedef short recurrent_state __attribute__((ext_vector_type(${vector}), aligned(2)));
#define RECURRENT_DOT(sum, x, w) ((sum) + __builtin_astype(__builtin_ia32_pmaddwd${32 * vector}(__builtin_astype(x, recurrent_words), ${"\\"}
    __builtin_convertvector(*(global const recurrent_pairs*)(w), recurrent_words)), recurrent_sums))
% endif
#endif
</%def>

## Writes `result`, of the units from `unit` on, so counted to counted_next.
<%def name="count(V, vector, dot, rounded)">\
{
    ${V} f = result * ${rounded}.0f;
    f = f + 12582912.0f;  // rint as vector code: the last bits of what 1.5 * 2^23 is added to
% if dot == "vnni":
    const recurrent_sums whole = *(private recurrent_sums*)&f + 32768;
    *(global recurrent_bytes*)(counted_next + 2 * line + unit) = __builtin_convertvector(whole, recurrent_bytes);
    *(global recurrent_bytes*)(counted_next + 2 * line + padded + unit) = __builtin_convertvector(whole >> 8, recurrent_bytes);
% else:
    *(global recurrent_state*)((global short*)(counted_next + 2 * line) + unit) = __builtin_convertvector(*(private recurrent_sums*)&f, recurrent_state);
% endif
  }
</%def>

## Adds the products of all units before with a line of recurrent weights to g0, g1, ... C variables: before, row, block,
## hidden, padded, unit, d, line, step, r_sums, counted.
<%def name="add_products(V, gates, vector, dot, rounded)">\
<%
  together = 4 if dot == "vnni" else 2
  parts = ("low", "high") if dot == "vnni" else ("",)
%>
% if dot == "vnni":
global const int* line_sums = r_sums + (d * (padded / block) + unit / block) * ${gates} * block + unit % block;
  global const uchar* low = counted + 2 * line;
  global const uchar* high = low + padded;
% else:
global const short* state = (global const short*)(counted + 2 * line);
% endif
  row += (unit % block) * ${together - 1};
% for part in parts:
% for g in range(gates):
  recurrent_sums ${part or "s"}${g} = 0, ${part or "s"}${g}_1 = 0;
% endfor
% endfor
  int k = 0;
  for (; k + ${together} < hidden; k += ${2 * together}, row += ${2 * together * gates} * block) {
% for u in range(2):
% for part in parts:
    const recurrent_sums x${part}_${u} = (recurrent_sums)(*(global const int*)(${part or "state"} + k + ${u * together}));
% endfor
% for g in range(gates):
% for part in parts:
    ${part or "s"}${g}${"_1" if u else ""} = RECURRENT_DOT(${part or "s"}${g}${"_1" if u else ""}, x${part}_${u}, row + ${together * (u * gates + g)} * block);
% endfor
% endfor
% endfor
  }
  if (k < hidden) {
% for part in parts:
    const recurrent_sums x${part} = (recurrent_sums)(*(global const int*)(${part or "state"} + k));
% for g in range(gates):
    ${part or "s"}${g} = RECURRENT_DOT(${part or "s"}${g}, x${part}, row + ${together * g} * block);
% endfor
% endfor
  }
% for g in range(gates):
% if dot == "vnni":
  {
    // 32768 steps are in the state besides: 128 in its high bytes.
    const recurrent_sums more = high${g} + high${g}_1 - 128 * *(global const recurrent_sums_u*)(line_sums + ${g} * block);
    g${g} += (__builtin_convertvector(more, ${V}) * 256.0f + __builtin_convertvector(low${g} + low${g}_1, ${V})) * (step * (1.0f / ${rounded}));
  }
% else:
  g${g} += __builtin_convertvector(s${g} + s${g}_1, ${V}) * (step * (1.0f / ${rounded}));
% endif
% endfor
</%def>

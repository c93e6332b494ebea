<%doc>
Products of a state with a line of recurrent weights of bytes, two units at a time, exact but for the state, which is rounded to
16 bits: vpmaddwd. Import with
  <%namespace name="words" file="/recurrent/words.mako"/>
</%doc>

## Before a kernel.
<%def name="declare(vector)">\
#ifndef RECURRENT_WORDS
#define RECURRENT_WORDS
typedef char recurrent_pairs __attribute__((ext_vector_type(${2 * vector}), aligned(1)));
typedef short recurrent_words __attribute__((ext_vector_type(${2 * vector})));
typedef int recurrent_sums __attribute__((ext_vector_type(${vector})));
typedef short recurrent_state __attribute__((ext_vector_type(${vector}), aligned(2)));
#define RECURRENT_PAIRS(x, w) __builtin_astype(__builtin_ia32_pmaddwd${32 * vector}(__builtin_astype(x, recurrent_words), ${"\\"}
    __builtin_convertvector(*(global const recurrent_pairs*)(w), recurrent_words)), recurrent_sums)
#endif
</%def>

## Adds the products of all units before with a line of recurrent weights to g0, g1, ... C variables: before, row, block,
## hidden, padded, unit, step.
<%def name="add_products(V, gates, vector, rounded, room)">\
short state[${room}] __attribute__((aligned(64)));
  for (int k = 0; k < padded; k += ${vector}) {
    ${V} f = *(global const ${V}*)(before + k) * ${rounded}.0f;
    f = f + 12582912.0f;  // rint as vector code: the last bits of what 1.5 * 2^23 is added to
    *(private recurrent_state*)(state + k) = __builtin_convertvector(*(private recurrent_sums*)&f, recurrent_state);
  }
  row += unit % block;
% for g in range(gates):
  recurrent_sums s${g} = 0, s${g}_1 = 0;
% endfor
  int k = 0;
  for (; k + 2 < hidden; k += 4, row += ${4 * gates} * block) {
    const recurrent_sums x0 = (recurrent_sums)(*(private const int*)(state + k));
    const recurrent_sums x1 = (recurrent_sums)(*(private const int*)(state + k + 2));
% for g in range(gates):
    s${g} = s${g} + RECURRENT_PAIRS(x0, row + ${2 * g} * block);
    s${g}_1 = s${g}_1 + RECURRENT_PAIRS(x1, row + ${2 * (gates + g)} * block);
% endfor
  }
  if (k < hidden) {
    const recurrent_sums x0 = (recurrent_sums)(*(private const int*)(state + k));
% for g in range(gates):
    s${g} = s${g} + RECURRENT_PAIRS(x0, row + ${2 * g} * block);
% endfor
  }
% for g in range(gates):
  g${g} += __builtin_convertvector(s${g} + s${g}_1, ${V}) * (step * (1.0f / ${rounded}));
% endfor
</%def>

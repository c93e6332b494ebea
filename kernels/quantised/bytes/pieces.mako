<%doc>
What kernels on bytes share: products of four bytes at a time, and sums that become bytes again, by the formula of
graph/ops/quantised/bytes.py. Import with
  <%namespace name="pieces" file="/quantised/bytes/pieces.mako"/>
</%doc>
<%namespace name="common" file="/common.mako"/>
<%namespace name="dots" file="/quantised/bytes/dots.mako"/>

## Before a kernel: `lanes` bytes that may begin anywhere.
<%def name="lanes_of(lanes)">\
#ifndef BYTE_LANES
#define BYTE_LANES ${lanes}
typedef uchar byte_lanes __attribute__((ext_vector_type(${lanes})));
typedef uchar byte_lanes_u __attribute__((ext_vector_type(${lanes}), aligned(1)));
#endif
</%def>

## Before a kernel: vectors of `lanes` that may begin at any byte, and products of them, see dots.mako.
<%def name="declare(lanes, dot)">\
#ifndef BYTE_QUADS
#define BYTE_QUADS
typedef int byte_ints __attribute__((ext_vector_type(${lanes})));
typedef int byte_ints_u __attribute__((ext_vector_type(${lanes}), aligned(1)));
typedef float byte_floats __attribute__((ext_vector_type(${lanes})));
typedef float byte_floats_u __attribute__((ext_vector_type(${lanes}), aligned(4)));
typedef uchar byte_quads __attribute__((ext_vector_type(${4 * lanes})));
typedef uchar byte_quads_u __attribute__((ext_vector_type(${4 * lanes}), aligned(1)));
typedef short byte_words __attribute__((ext_vector_type(${2 * lanes})));
#endif
${dots.functions(lanes, dot)}
${lanes_of(lanes)}
</%def>

## Parameters behind w. What becomes bytes again: multiplier, bias, numbers, perhaps other, and y. What becomes floats, real:
## zero, scale, sums (of each filter's weights), multiplier, perhaps added, and y.
<%def name="operands(real, other, added)">\
% if real:
global const uchar* restrict zero,
    global const float* restrict scale, global const int* restrict sums, global const float* restrict multiplier,
% if added:
    global const float* restrict added,
% endif
    global float* restrict y,\
% else:
global const float* restrict multiplier,
    global const int* restrict bias, global const float* restrict numbers,
% if other:
    global const uchar* restrict other,
% endif
    global uchar* restrict y,\
% endif
</%def>

## What sums begin with for the filters from `place` on, an expression. C variable, if real: x_zero.
<%def name="first_sums(place, real)">\
% if real:
*(global const byte_ints_u*)(sums + ${place}) * -x_zero\
% else:
*(global const byte_ints_u*)(bias + ${place})\
% endif
</%def>

## Declares `factor`, by which sums of the filters from `place` on are multiplied, and `shift`, which is added then.
<%def name="factor(place, real, added)">\
const byte_floats factor = *(global const byte_floats_u*)(multiplier + ${place})${" * scale[0]" if real else ""};
% if added:
        const byte_floats shift = *(global const byte_floats_u*)(added + ${place});
% endif
</%def>

## Stores accumulators as floats behind y + at, `lanes` each, one behind the other. channel: C text of the first lane's.
## C variables: factor, shift.
<%def name="store_real(accumulators, lanes, added, epilogue, channel, at)">
% for i, accumulator in enumerate(accumulators):
        {
          byte_floats f = __builtin_convertvector(${accumulator}, byte_floats) * factor${" + shift" if added else ""};
          ${common.apply_epilogue(epilogue, "f", "float%d" % lanes, channel, "%s + %d" % (at, i * lanes))}
          *(global byte_floats_u*)(y + ${at} + ${i * lanes}) = f;
        }
% endfor
</%def>

## Stores accumulators behind y + at, `lanes` bytes each, one behind the other; with `other`, whose bytes are added, in the
## same place. C variables: float vector `factor`, `numbers`.
<%def name="store(accumulators, lanes, twice, other, at)">
      {
        const float high = numbers[6], low = numbers[5];
        const int zero = (int)numbers[7];
% for i, accumulator in enumerate(accumulators):
        byte_floats f${i} = __builtin_convertvector(${accumulator}, byte_floats) * factor;
% if twice:
        f${i} = f${i} > numbers[0] ? f${i} : (byte_floats)(numbers[0]);
        f${i} = f${i} < numbers[1] ? f${i} : (byte_floats)(numbers[1]);
        f${i} = f${i} + 12582912.0f;  // rint as vector code
        f${i} = f${i} - 12582912.0f;
        f${i} = f${i} * numbers[2];
% endif
% if other:
        {
          const byte_floats steps = __builtin_convertvector(
              *(global const byte_lanes_u*)(other + ${at} + ${i * lanes}), byte_floats) - numbers[3];
          f${i} = steps * numbers[4] + f${i};
        }
% endif
        ${round("f%d" % i, "*(global byte_lanes_u*)(y + %s + %d)" % (at, i * lanes))}
% endfor
      }
</%def>

## Statement that puts a float vector, in the variable `value`, as bytes into `place`. C variables: low, high, zero.
<%def name="round(value, place)">\
${value} = ${value} > low ? ${value} : (byte_floats)(low);
        ${value} = ${value} < high ? ${value} : (byte_floats)(high);
        // The last bits of what 1.5 * 2^23 is added to are the number rounded, half to even.
        ${value} = ${value} + 12582912.0f;
        ${place} = __builtin_convertvector(*(private byte_ints*)&${value} + zero, byte_lanes);
</%def>

## Points `source` at `columns` pixels of `size` bytes from column `left` of `line`: in the image, or, where some are outside
## of it, copied to `window`, an array, with the zero point in place of what is outside. type: of one pixel, so that it moves
## at once. C variables: inside, row_outside, `outside` of that type.
<%def name="window(columns, size, type)">
      if (!inside || row_outside) {
        for (int c = 0; c < ${columns}; ++c) {
          const int iw = left + c;
          const int known = !row_outside && iw >= 0 && iw < width;
          *(private ${type}*)(window + c * ${size}) = known ? *(global const ${type}*)(line + iw * ${size}) : outside;
        }
        source = (global const uchar*)(size_t)window;
      }
</%def>

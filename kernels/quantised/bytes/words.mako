<%doc>
Products of bytes where a processor multiplies pairs of 16 bits only (vpmaddwd): bytes of x are widened once, into memory of
the work-item, and those of w as they are read. Import with
  <%namespace name="words" file="/quantised/bytes/words.mako"/>
</%doc>

## Before a kernel, behind pieces.declare(): pixels of `size` channels, and pairs for `lanes` filters.
<%def name="declare(lanes, size)">\
#ifndef BYTE_PIXEL_${size}
#define BYTE_PIXEL_${size}
typedef uchar byte_pixel_${size} __attribute__((ext_vector_type(${size}), aligned(1)));
typedef short byte_wide_${size} __attribute__((ext_vector_type(${size}), aligned(8)));
#endif
#ifndef BYTE_PAIRS
#define BYTE_PAIRS
typedef char byte_pairs_u __attribute__((ext_vector_type(${2 * lanes}), aligned(1)));
#endif
</%def>

## Statements that put `columns` pixels of `size` bytes from column `left` of `line` into `window`, an array of short, the zero
## point in place of what is outside of the image. padded: whether anything may be. C variables: inside, row_outside, x_zero.
<%def name="window(columns, size, padded)">
% if padded:
          if (!inside || row_outside)
            for (int c = 0; c < ${columns}; ++c) {
              const int iw = left + c;
              const int known = !row_outside && iw >= 0 && iw < width;
              *(private byte_wide_${size}*)(window + c * ${size}) = known
                  ? __builtin_convertvector(*(global const byte_pixel_${size}*)(line + iw * ${size}), byte_wide_${size})
                  : (byte_wide_${size})((short)x_zero);
            }
          else
% endif
            for (int c = 0; c < ${columns}; ++c)
              *(private byte_wide_${size}*)(window + c * ${size}) =
                  __builtin_convertvector(*(global const byte_pixel_${size}*)(line + (left + c) * ${size}), byte_wide_${size});
</%def>

## Adds the products of four channels, from `four` on in an array of short, to the sums a{p}_{v}; step: shorts from a pixel to
## the next. tap: the weights, (2, vectors * lanes, 2).
<%def name="multiply(lanes, pixels, vectors, step)">
% for half in (0, 1):
              {
% for v in range(vectors):
                const byte_words w${v} = __builtin_convertvector(
                    *(global const byte_pairs_u*)(tap + ${(half * vectors + v) * lanes * 2}), byte_words);
% endfor
% for p in range(pixels):
                { const byte_ints s = (byte_ints)(*(private const int*)(four + ${p * step + half * 2}));
% for v in range(vectors):
                  a${p}_${v} = a${p}_${v} + BYTE_PAIRS_SUM(s, w${v});
% endfor
                }
% endfor
              }
% endfor
</%def>

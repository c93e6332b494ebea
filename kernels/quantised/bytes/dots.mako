<%doc>
Products of four bytes at a time in the lanes of a processor's vectors. Import with
  <%namespace name="dots" file="/quantised/bytes/dots.mako"/>
</%doc>
## Before a kernel, behind the types of pieces.declare(): BYTE_DOT_VNNI(sum, x, w): each lane's sum and the products
## of its four bytes, of x unsigned, of w signed. dot: the instruction, "vnni"; "words", products of pairs of 16 bits; "small", of
## pairs of bytes, whose sums must fit 16 bits: those of |w| side by side are at most 128; "usdot" of ARM; "sdot" of ARM, where both
## factors are signed: x less 128, and 128 times w, which is the same for many x; or "emulated", "emulated sdot".
<%def name="functions(lanes, dot)">\
#ifndef BYTE_DOT_${dot.upper().replace(" ", "_")}
% if dot == "vnni":
#define BYTE_DOT_VNNI(sum, x, w) __builtin_ia32_vpdpbusd${32 * lanes}(sum, x, w)
% elif dot == "small":
typedef char byte_chars __attribute__((ext_vector_type(${4 * lanes})));
#define BYTE_DOT_SMALL(sum, x, w) ((sum) + __builtin_astype(__builtin_ia32_pmaddwd${32 * lanes}(__builtin_ia32_pmaddubsw${32 * lanes}( ${"\\"}
    __builtin_astype(x, byte_chars), __builtin_astype(w, byte_chars)), (byte_words)(1)), byte_ints))
% elif dot == "words":
#define BYTE_PAIRS_SUM(x, w) __builtin_astype(__builtin_ia32_pmaddwd${32 * lanes}(__builtin_astype(x, byte_words), w), byte_ints)
#define BYTE_DOT_WORDS(sum, x, w) ((sum) + BYTE_PAIRS_SUM((x) & 0x00ff00ff, __builtin_astype(w, byte_words) << 8 >> 8) ${"\\"}
    + BYTE_PAIRS_SUM((x) >> 8 & 0x00ff00ff, __builtin_astype(w, byte_words) >> 8))
% elif dot == "usdot":
static inline byte_ints byte_usdot(byte_ints sum, byte_ints x, byte_ints w) {
  __asm__("usdot %0.4s, %1.16b, %2.16b" : "+w"(sum) : "w"(x), "w"(w));
  return sum;
}
#define BYTE_DOT_USDOT byte_usdot
% elif dot == "sdot":
static inline byte_ints byte_sdot(byte_ints sum, byte_ints x, byte_ints w) {
  __asm__("sdot %0.4s, %1.16b, %2.16b" : "+w"(sum) : "w"(x), "w"(w));
  return sum;
}
#define BYTE_DOT_SDOT(sum, x, w) byte_sdot((sum) - byte_sdot((byte_ints)(0), (byte_ints)(0x80808080), w), (x) ^ (int)0x80808080, w)
% elif dot == "emulated sdot":
#define BYTE_SDOT(x, w) (((x) << 24 >> 24) * ((w) << 24 >> 24) + ((x) << 16 >> 24) * ((w) << 16 >> 24) ${"\\"}
    + ((x) << 8 >> 24) * ((w) << 8 >> 24) + ((x) >> 24) * ((w) >> 24))
#define BYTE_DOT_EMULATED_SDOT(sum, x, w) ((sum) - BYTE_SDOT((byte_ints)(0x80808080), w) + BYTE_SDOT((x) ^ (int)0x80808080, w))
% else:
#define BYTE_DOT_EMULATED(sum, x, w) ((sum) + ((x) & 255) * ((w) << 24 >> 24) + ((x) >> 8 & 255) * ((w) << 16 >> 24) ${"\\"}
    + ((x) >> 16 & 255) * ((w) << 8 >> 24) + ((x) >> 24 & 255) * ((w) >> 24))
% endif
#endif
</%def>

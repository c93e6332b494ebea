## Reading and writing float16 in memory: read_half8(p) is a float8, write_half8(p, v) rounds to the nearest even
## half, what is too large to infinity; load_half8 and store_half8 are for vectors that lie where vectors may. Every
## program that calls one starts with these.
<%
  widths = (2, 4, 8, 16)
%>
#if defined(__F16C__) && defined(__x86_64__)
// PoCL does not inline vload_half, and its LLVM takes vectors of half apart; the instructions are said here.
% for n in widths:
typedef ushort ushort${n}_u __attribute__((ext_vector_type(${n}), aligned(2)));
% endfor
#define CLCONV_HALF static inline __attribute__((always_inline))
CLCONV_HALF float read_half(global const half* p) {
  const float bits = as_float((uint)*(global const ushort*)p);
  float value;
  __asm__("vcvtph2ps %1, %0" : "=x"(value) : "x"(bits));
  return value;
}
CLCONV_HALF float8 clh_widen(ushort8 bits) {
  float8 value;
  __asm__("vcvtph2ps %1, %0" : "=x"(value) : "x"(bits));
  return value;
}
CLCONV_HALF float4 clh_widen_low(ushort8 bits) {
  float4 value;
  __asm__("vcvtph2ps %1, %0" : "=x"(value) : "x"(bits));
  return value;
}
CLCONV_HALF float2 read_half2(global const half* p) {
  return clh_widen_low((ushort8)(*(global const ushort2_u*)p, (ushort2)(0), (ushort4)(0))).lo;
}
CLCONV_HALF float4 read_half4(global const half* p) {
  return clh_widen_low((ushort8)(*(global const ushort4_u*)p, (ushort4)(0)));
}
CLCONV_HALF float8 read_half8(global const half* p) { return clh_widen(*(global const ushort8_u*)p); }
CLCONV_HALF float16 read_half16(global const half* p) {
  return (float16)(read_half8(p), read_half8(p + 8));
}
CLCONV_HALF void write_half(global half* p, float value) {
  float bits;
  __asm__("vcvtps2ph $0, %1, %0" : "=x"(bits) : "x"(value));
  *(global ushort*)p = (ushort)as_uint(bits);
}
CLCONV_HALF ushort8 clh_narrow_low(float4 value) {
  ushort8 bits;
  __asm__("vcvtps2ph $0, %1, %0" : "=x"(bits) : "x"(value));
  return bits;
}
CLCONV_HALF void write_half2(global half* p, float2 value) {
  *(global ushort2_u*)p = clh_narrow_low((float4)(value, value)).lo.lo;
}
CLCONV_HALF void write_half4(global half* p, float4 value) {
  *(global ushort4_u*)p = clh_narrow_low(value).lo;
}
CLCONV_HALF void write_half8(global half* p, float8 value) {
  ushort8 bits;
  __asm__("vcvtps2ph $0, %1, %0" : "=x"(bits) : "x"(value));
  *(global ushort8_u*)p = bits;
}
CLCONV_HALF void write_half16(global half* p, float16 value) {
  write_half8(p, value.lo);
  write_half8(p + 8, value.hi);
}
% for n in widths:
#define load_half${n}(p) read_half${n}(p)
#define store_half${n}(p, v) write_half${n}(p, v)
% endfor
#else
#define read_half(p) vload_half(0, p)
#define write_half(p, v) vstore_half_rte((float)(v), 0, p)
% for n in widths:
#define read_half${n}(p) vload_half${n}(0, p)
#define write_half${n}(p, v) vstore_half${n}_rte(v, 0, p)
// vload_half need not be one load: it may read at any half.
static inline float${n} load_half${n}(global const half* p) {
  ushort${n} bits = *(global const ushort${n}*)p;
  return vload_half${n}(0, (private const half*)&bits);
}
static inline void store_half${n}(global half* p, float${n} value) {
  ushort${n} bits;
  vstore_half${n}_rte(value, 0, (private half*)&bits);
  *(global ushort${n}*)p = bits;
}
% endfor
#endif

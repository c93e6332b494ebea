## The start of every program: vector types for unaligned access. Included once, before all kernels.
#pragma OPENCL FP_CONTRACT ON

// Vectors that may start at any element. A dereference of these becomes one load instruction, where
// vload8 and vstore8 are function calls on PoCL.
% for width in (2, 4, 8, 16):
typedef float float${width}_u __attribute__((ext_vector_type(${width}), aligned(4)));
% endfor

// Limits that leave NaN as it is. For vectors of floats x86 has an instruction, which clang takes for no choice between vectors:
// it compares into a mask, where multiply-adds go, and chooses by it.
#define CLCONV_AT_LEAST(x, low) ((x) < (low) ? (low) : (x))
#define CLCONV_AT_MOST(x, high) ((x) > (high) ? (high) : (x))
% for width, feature, bits, rounding in ((4, "SSE", "", ""), (8, "AVX", "256", ""), (16, "AVX512F", "512", ", 4")):
#ifdef __${feature}__
#define CLCONV_AT_LEAST_${width}(x, low) __builtin_astype(__builtin_ia32_maxps${bits}(low, x${rounding}), float${width})
#define CLCONV_AT_MOST_${width}(x, high) __builtin_astype(__builtin_ia32_minps${bits}(high, x${rounding}), float${width})
#else
#define CLCONV_AT_LEAST_${width} CLCONV_AT_LEAST
#define CLCONV_AT_MOST_${width} CLCONV_AT_MOST
#endif
% endfor

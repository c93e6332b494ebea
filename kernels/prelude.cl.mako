## The start of every program: vector types for unaligned access. Included once, before all kernels.
#pragma OPENCL FP_CONTRACT ON

// Vectors that may start at any element. A dereference of these becomes one load instruction, where
// vload8 and vstore8 are function calls on PoCL.
% for width in (2, 4, 8, 16):
typedef float float${width}_u __attribute__((ext_vector_type(${width}), aligned(4)));
% endfor

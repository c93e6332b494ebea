<%doc>
Products of four bytes, and sums that become bytes again, for kernels whose work-items are scalar. Import with
  <%namespace name="scalar" file="/quantised/bytes/scalar.mako"/>
</%doc>

## Before a kernel: byte_dot(sum, x, w): sum and the products of four bytes, of x unsigned, of w signed. dot: "khr", the built-in
## functions of cl_khr_integer_dot_product; "nvidia", from compute capability 6.1 on; "amd unsigned" of RDNA 3; "emulated".
## Of "amd" and "emulated signed" both factors are signed.
<%def name="functions(dot)">\
#ifndef BYTE_DOT_FUNCTION
#define BYTE_DOT_FUNCTION
% if dot == "nvidia":
static inline int byte_dot(int sum, int x, int w) {
  int result;
  __asm__("dp4a.u32.s32 %0, %1, %2, %3;" : "=r"(result) : "r"(x), "r"(w), "r"(sum));
  return result;
}
% elif dot == "khr":
#ifndef __opencl_c_integer_dot_product_input_4x8bit_packed
int __attribute__((overloadable, const)) dot_4x8packed_us_int(uint x, uint w);  // OpenCL C 1.2 has no header for it
#endif
#define byte_dot(sum, x, w) ((sum) + dot_4x8packed_us_int((uint)(x), (uint)(w)))
% elif dot == "amd":
#define byte_dot(sum, x, w) __builtin_amdgcn_sdot4(x, w, sum, false)
% elif dot == "amd unsigned":
#define byte_dot(sum, x, w) __builtin_amdgcn_sudot4(false, x, true, w, sum, false)
% else:
<% x_byte = "((x) << %d >> 24)" if dot == "emulated signed" else "((x) >> %d & 255)" %>
#define byte_dot(sum, x, w) ((sum) ${" ".join("+ %s * ((w) << %d >> 24)" % (x_byte % (24 - 8 * i if dot == "emulated signed" else 8 * i), 24 - 8 * i) for i in range(4))})
% endif
#endif
</%def>

## Statements that make the float variable `value`, a scaled sum, what y has for it, by graph/ops/quantised/bytes.py: the whole
## number of a byte. place: C text of its place in `other`. C variable: numbers.
<%def name="requantise(value, twice, other, place)">\
% if twice:
  ${value} = ${value} > numbers[0] ? ${value} : numbers[0];
  ${value} = ${value} < numbers[1] ? ${value} : numbers[1];
  ${value} = rint(${value}) * numbers[2];
% endif
% if other:
  ${value} = fma((float)other[${place}] - numbers[3], numbers[4], ${value});
% endif
  ${value} = ${value} > numbers[5] ? ${value} : numbers[5];
  ${value} = ${value} < numbers[6] ? ${value} : numbers[6];
  ${value} = rint(${value}) + numbers[7];
</%def>

"""What is read from the text of machine code, on texts that disassemblers and clang wrote, shortened."""

from __future__ import annotations

from benchmarks.disassembly import (
    Hot,
    hottest,
    is_matrix,
    multiplies,
    parse_amd,
    parse_nvidia,
    widths,
)

NVDISASM = """
//--------------------- .text.product_0a          --------------------------
	.section	.text.product_0a,"ax",@progbits
.text.product_0a:
        /*0000*/                   LDC R1, c[0x0][0x28] ;
.L_x_3:
        /*0010*/                   LDG.E.128.CONSTANT R8, desc[UR8][R2.64] ;
        /*0020*/              @!P1 LDG.E.CONSTANT R9, desc[UR8][R2.64+0x4] ;
.L_x_2:
        /*0030*/                   LDS.128 R16, [R5] ;
        /*0040*/                   FFMA R20, R16, R17, R20 ;
        /*0050*/                   FFMA R21, R16, R18.reuse, R21 ;
        /*0060*/                   ISETP.NE.AND P0, PT, R5, RZ, PT ;
        /*0070*/               @P0 BRA `(.L_x_2) ;
        /*0080*/                   STS [R7], R9 ;
        /*0090*/                   BAR.SYNC.DEFER_BLOCKING 0x0 ;
        /*00a0*/              @!P2 BRA `(.L_x_3) ;
        /*00b0*/                   STG.E.64 desc[UR8][R2.64], R20 ;
        /*00c0*/                   EXIT ;
.L_x_5:
        /*00d0*/                   BRA `(.L_x_5);
        /*00e0*/                   NOP;
//--------------------- .text.line_1b          --------------------------
.text.line_1b:
        /*0000*/                   LDG.E R0, desc[UR4][R2.64] ;
        /*0010*/                   EXIT ;
"""

CUOBJDUMP = """
		Function : matrix_2c
	.headerflags	@"EF_CUDA_SM90"
        /*0000*/                   LDC R1, c[0x0][0x28] ;                  /* 0x00000a00ff017b82 */
                                                                           /* 0x000fe20000000800 */
        /*0010*/                   LDS R4, [R2] ;                          /* 0x0000000002047984 */
        /*0020*/                   HMMA.1688.F32.TF32 R4, R4, R8, R4 ;     /* 0x000000080404723c */
        /*0030*/               @P0 BRA 0x10 ;                              /* 0xfffffffc00f40947 */
        /*0040*/                   EXIT ;                                  /* 0x000000000000794d */
"""

CLANG = """
product_0a:                             ; @product_0a
; %bb.0:
	s_load_b64 s[2:3], s[0:1], 0x0
.LBB0_1:                                ; =>This Loop Header: Depth=1
	global_load_b128 v[0:3], v4, s[2:3]
	s_cbranch_execz .LBB0_3
; %bb.2:
	s_cbranch_scc1 .LBB0_1
.LBB0_3:
	ds_load_b128 v[8:11], v20
	v_dual_fmac_f32 v4, v8, v9 :: v_dual_fmac_f32 v5, v8, v10
	v_dual_fmac_f32 v6, v8, v9 :: v_dual_add_nc_u32 v20, 1, v20
	v_fma_f32 v7, v8, v11, v7
	s_cbranch_scc0 .LBB0_3
; %bb.4:
	ds_store_2addr_stride64_b32 v3, v0, v1 offset1:2
	s_branch .LBB0_1
.LBB0_5:
	s_endpgm
.Lfunc_end0:
	.size	product_0a, .Lfunc_end0-product_0a
"""


def test_the_inner_loop_and_what_is_around_it() -> None:
    kernels = parse_nvidia(NVDISASM)
    assert set(kernels) == {"product_0a", "line_1b"}
    hot = hottest(kernels["product_0a"])
    assert multiplies(hot.inner) == 2 and sum(hot.inner.values()) == 5
    assert sum(hot.around.values()) == 5
    turn = hot.turn(4)
    assert sum(turn.values()) == 25 and multiplies(turn) == 8
    assert widths(turn, "LDS") == {128: 4}
    assert widths(turn, "LDG") == {128: 1, 32: 1}
    assert widths(turn, "STS") == {32: 1}
    assert widths(hot.whole, "STG") == {64: 1} and not is_matrix(hot.whole)


def test_a_kernel_without_loops_is_hot_as_a_whole() -> None:
    hot = hottest(parse_nvidia(NVDISASM)["line_1b"])
    assert hot == Hot(hot.whole, type(hot.whole)(), hot.whole)
    assert sum(hot.inner.values()) == 2


def test_cuobjdump_jumps_to_addresses() -> None:
    hot = hottest(parse_nvidia(CUOBJDUMP)["matrix_2c"])
    assert is_matrix(hot.inner) and multiplies(hot.inner) == 1
    assert sum(hot.inner.values()) == 3 and not hot.around


def test_amd_issues_two_as_one_and_jumps_back_twice() -> None:
    hot = hottest(parse_amd(CLANG)["product_0a"])
    assert multiplies(hot.inner) == 4 and sum(hot.inner.values()) == 5
    assert widths(hot.inner, "ds_load") == {128: 1}
    # Both jumps to the head of the outer loop belong to it.
    assert widths(hot.around, "ds_store") == {32: 2}
    assert widths(hot.around, "global_load") == {128: 1}

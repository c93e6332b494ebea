"""The variants of Conv, best first: each one's file says what it is for."""

from clconv.lowering.model.kernel import register
from clconv.lowering.ops.conv.depthwise import DEPTHWISE
from clconv.lowering.ops.conv.depthwise_gpu import DEPTHWISE_GPU
from clconv.lowering.ops.conv.direct import DIRECT
from clconv.lowering.ops.conv.implicit_gemm import IMPLICIT_GEMM, MATRIX_GEMM
from clconv.lowering.ops.conv.narrow import NARROW
from clconv.lowering.ops.conv.simple import SIMPLE
from clconv.lowering.ops.conv.stem import MATRIX_STEM, STEM
from clconv.lowering.ops.conv.winograd import (
    WINOGRAD2,
    WINOGRAD2_5X5,
    WINOGRAD2_STRIDE2,
    WINOGRAD4,
    WINOGRAD4_STRIDE2,
)
from clconv.lowering.ops.conv.winograd_fused import WINOGRAD2_FUSED, WINOGRAD4_FUSED
from clconv.lowering.ops.conv.winograd_gpu import MATRIX_WINOGRAD2, WINOGRAD2_GPU, WINOGRAD4_GPU

register(
    DEPTHWISE,
    WINOGRAD4,
    WINOGRAD2,
    WINOGRAD2_5X5,
    WINOGRAD4_STRIDE2,
    WINOGRAD2_STRIDE2,
    NARROW,
    DIRECT,
    DEPTHWISE_GPU,
    STEM,
    MATRIX_STEM,
    WINOGRAD4_GPU,
    WINOGRAD2_GPU,
    WINOGRAD4_FUSED,
    WINOGRAD2_FUSED,
    MATRIX_WINOGRAD2,
    MATRIX_GEMM,
    IMPLICIT_GEMM,
    SIMPLE,
)

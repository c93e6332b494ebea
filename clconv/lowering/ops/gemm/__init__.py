"""The variants of Gemm and MatMul, best first: each one's file says what it is for."""

from clconv.lowering.model.kernel import register
from clconv.lowering.ops.gemm.local import local_variants
from clconv.lowering.ops.gemm.panels import panel_variants
from clconv.lowering.ops.gemm.simple import simple_variant
from clconv.lowering.ops.gemm.turned import TURNED
from clconv.lowering.ops.gemm.vector import vector_variant

register(TURNED)
for _op in ("Gemm", "MatMul"):
    register(*panel_variants(_op), vector_variant(_op), *local_variants(_op), simple_variant(_op))

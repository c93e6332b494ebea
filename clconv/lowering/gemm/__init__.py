"""The variants of Gemm and MatMul, best first: each one's file says what it is for."""

from clconv.lowering.gemm.local import local_variants
from clconv.lowering.gemm.panels import panel_variants
from clconv.lowering.gemm.simple import simple_variant
from clconv.lowering.gemm.vector import vector_variant
from clconv.lowering.kernel import register

for _op in ("Gemm", "MatMul"):
    register(*panel_variants(_op), vector_variant(_op), *local_variants(_op), simple_variant(_op))

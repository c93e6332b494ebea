"""The variants of ConvInteger, QLinearConv, MatMulInteger and QLinearMatMul, best first: exact sums in int32."""

from clconv.lowering.model.kernel import register
from clconv.lowering.ops.quantised.product.panels import panels_variant
from clconv.lowering.ops.quantised.product.simple import simple_variant
from clconv.lowering.ops.quantised.product.stream import stream_variant

for _op in ("ConvInteger", "QLinearConv", "MatMulInteger", "QLinearMatMul"):
    if "MatMul" in _op:
        register(stream_variant(_op))
    register(panels_variant(_op), simple_variant(_op))

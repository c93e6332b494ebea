"""The variants of Resize and ResizeGradient, best first: each one's file says what it is for."""

from clconv.lowering.model.kernel import register
from clconv.lowering.ops.sampling.resize.rows_and_blocks import blocked, rows
from clconv.lowering.ops.sampling.resize.separable import separable
from clconv.lowering.ops.sampling.resize.simple import simple

register(separable("Resize"), rows("Resize"), blocked("Resize"), simple("Resize"))
_BACK = "ResizeGradient"
register(rows(_BACK), blocked(_BACK), separable(_BACK), simple(_BACK))

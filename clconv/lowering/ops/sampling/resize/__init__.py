"""The variants of Resize, best first: each one's file says what it is for."""

from clconv.lowering.model.kernel import register
from clconv.lowering.ops.sampling.resize.rows_and_blocks import BLOCKED, ROWS
from clconv.lowering.ops.sampling.resize.separable import SEPARABLE
from clconv.lowering.ops.sampling.resize.simple import SIMPLE

register(SEPARABLE, ROWS, BLOCKED, SIMPLE)

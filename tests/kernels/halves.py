"""The shared cases with float16 in float32's place."""

from __future__ import annotations

from clconv.cases import CASES, Case

# One operator for each way of storing: what the others do differently is arithmetic, which float32's cases test.
OPS = (
    "Conv", "ConvTranspose", "Gemm", "MatMul", "MaxPool", "AveragePool", "LpPool", "GlobalMaxPool", "GlobalAveragePool",
    "Resize", "Softmax", "LogSoftmax", "Hardmax", "BatchNormalization", "InstanceNormalization", "GroupNormalization",
    "LayerNormalization", "RMSNormalization", "LpNormalization", "MeanVarianceNormalization", "LRN", "ReduceMean", "ArgMax",
    "ReduceMax", "ReduceLogSumExp", "Add", "Mul", "Relu", "Sigmoid", "Clip", "Where", "Equal", "Pow", "Cast", "Concat",
    "Transpose", "Pad", "Slice", "DepthToSpace",
)  # fmt: skip
# Those that store in the ways that the kernels of most operators do.
QUICK = (
    "Gemm", "MaxPool", "Resize", "Softmax", "LayerNormalization", "ReduceMean", "Relu", "Where", "Cast", "Concat",
    "Transpose", "Pad",
)  # fmt: skip
MOST_CASES = 8  # of an operator, evenly out of all


def cases_of(op: str, most: int = MOST_CASES) -> list[Case]:
    found = [h for case in CASES if case.op == op and (h := case.halved()).inputs != case.inputs]
    return found[:: -(-len(found) // most)]

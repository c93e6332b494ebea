"""The shared cases with float16 in float32's place."""

from __future__ import annotations

import dataclasses

from clconv.cases import CASES, Case

# One operator for each way of storing: what the others do differently is arithmetic, which float32's cases test.
OPS = (
    "Conv", "ConvTranspose", "Gemm", "MatMul", "MaxPool", "AveragePool", "LpPool", "GlobalMaxPool", "GlobalAveragePool",
    "Resize", "Softmax", "LogSoftmax", "Hardmax", "BatchNormalization", "InstanceNormalization", "GroupNormalization",
    "LayerNormalization", "RMSNormalization", "LpNormalization", "MeanVarianceNormalization", "LRN", "ReduceMean", "ArgMax",
    "ReduceMax", "ReduceLogSumExp", "Add", "Mul", "Relu", "Sigmoid", "Clip", "Where", "Equal", "Pow", "Cast", "Concat",
    "Transpose", "Pad", "Slice", "DepthToSpace",
)  # fmt: skip
_MOST_CASES = 8  # of an operator, evenly out of all


def halved(case: Case) -> Case:
    """The case with float16 in float32's place, but for Resize's scales, which ONNX has in float32."""
    data = 1 if case.op == "Resize" else len(case.inputs)
    operands = tuple(
        dataclasses.replace(o, dtype="float16")
        if o is not None and o.dtype == "float32" and i < data
        else o
        for i, o in enumerate(case.inputs)
    )
    return dataclasses.replace(case, inputs=operands)


def cases_of(op: str) -> list[Case]:
    found = [h for case in CASES if case.op == op and (h := halved(case)).inputs != case.inputs]
    return found[:: -(-len(found) // _MOST_CASES)]

"""What kind of layer an operator is, and its colour: by where it stands in clconv.graph.ops, so that a new operator has a
kind at once."""

from __future__ import annotations

from clconv.graph.ops import OPS
from clconv.graph.ops.elementwise.activations import ACTIVATIONS
from clconv.graph.ops.elementwise.arithmetic import ARITHMETIC

ENDS = "input, output"
OTHER = "other"
COLOURS = {
    ENDS: "#e3e3e3",
    "convolution": "#a9cdf2",
    "matrix product": "#c9b8ec",
    "pooling, reduction": "#f6c99b",
    "normalisation": "#f3e6a2",
    "activation": "#bfe3b4",
    "arithmetic": "#f4b6b6",
    "resampling": "#a8dfdc",
    "movement": "#dcc9b6",
    OTHER: "#ffffff",
}
# By the folder or module under clconv.graph.ops.
_KINDS = {
    "attention": "matrix product",
    "conv": "convolution",
    "gemm": "matrix product",
    "indexing": "movement",
    "movement": "movement",
    "norm": "normalisation",
    "pool": "pooling, reduction",
    "recurrent": "matrix product",
    "reduce": "pooling, reduction",
    "sampling": "resampling",
    "spectral": "matrix product",
}
# The same on bytes, by what their names hold.
_ON_BYTES = {"Conv": "convolution", "MatMul": "matrix product", "AveragePool": "pooling, reduction"}
_ELEMENTWISE = {
    **{row.name: "arithmetic" for row in ARITHMETIC},
    **{row.name: "activation" for row in ACTIVATIONS},
}


def kind_of(op: str) -> str:
    """The kind of an operator by its ONNX name, "other" if it is of none."""
    place = OPS[op].reference.__module__.removeprefix("clconv.graph.ops.").split(".")[0]
    if place == "quantised":
        return next((kind for name, kind in _ON_BYTES.items() if name in op), OTHER)
    return _ELEMENTWISE.get(op) or _KINDS.get(place, OTHER)


def joins(op: str) -> bool:
    """Whether it changes each value by itself and so stands in the box of the layer before it."""
    return kind_of(op) == "activation" or op in ("BatchNormalization", "Dropout", "Identity")

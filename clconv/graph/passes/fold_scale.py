"""A constant factor or summand behind a convolution or Gemm goes into its weights and bias."""

from __future__ import annotations

import numpy as np

from clconv.graph.ir import Graph
from clconv.graph.passes.editor import Editor
from clconv.graph.passes.linear import Linear, linear_behind, rescale

ARITHMETIC = ("Add", "Sub", "Mul", "Div")


def fold_scale(graph: Graph) -> Graph:
    """The graph with Add, Sub, Mul and Div by scalar or per-channel constants folded into weights.

    The linear node before them must have no activation and no other reader.

    Computed in float64 and rounded once; left alone where a weight would overflow.
    """
    editor = Editor(graph)
    for position, node in enumerate(graph.nodes):
        # A node with an epilogue keeps it: its own operator comes first.
        if node.op in ARITHMETIC and editor.nodes[position] is not None:
            _fold(editor, position)
    return editor.result()


def _fold(editor: Editor, position: int) -> None:
    node = editor.nodes[position]
    assert node is not None
    for index in (0, 1):
        constant = editor.array(node.inputs[1 - index])
        if constant is None or constant.dtype.kind != "f":
            continue
        linear = linear_behind(editor, node.inputs[index])
        if linear is None or constant.dtype != linear.dtype:
            continue
        value = _per_channel(constant.astype(np.float64), linear)
        if value is None:
            continue
        with np.errstate(all="ignore"):
            scale, shift = _as_linear(node.op, value, constant_first=index == 1)
        if scale is None and shift is None:
            continue
        rescale(editor, linear, position, scale, shift)
        return


def _per_channel(constant: np.ndarray, linear: Linear) -> np.ndarray | None:
    """The constant as a scalar or one value a channel; None if it varies along another axis."""
    if constant.ndim > linear.rank:
        return None
    shape = (1,) * (linear.rank - constant.ndim) + constant.shape
    if constant.size == 1:
        return constant.reshape(())
    if constant.size == linear.channels == shape[1]:
        return constant.reshape(-1)
    return None


def _as_linear(
    op: str, value: np.ndarray, constant_first: bool
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """(scale, shift) with op(y, value) == scale * y + shift; (None, None) if it is not linear."""
    if op == "Add":
        return None, value
    if op == "Mul":
        return value, None
    if op == "Sub":
        return (np.asarray(-1.0), value) if constant_first else (None, -value)
    if constant_first or not np.all(value):
        return None, None
    return 1.0 / value, None

"""A layer that is tuned in a few words: Conv 3x3, 64->128, 56x56."""

from __future__ import annotations

from collections.abc import Iterable

from clconv.graph.ir import Graph, Node


def layer_text(node: Node, graph: Graph) -> str:
    """Operator, window (/ stride), channels in->out (in groups), size of the output; a batch, half floats and steps of
    an epilogue only where there are some. What is no convolution or product: the operator and its output's shape."""
    steps = "".join(f"+{step.op}" for step in node.epilogue)
    y = graph.spec(next(name for name in node.outputs if name))
    more = "" if y.dtype.value == "float32" else f", {y.dtype.value}"
    if node.op in ("Conv", "ConvTranspose"):
        x, w = (graph.spec(name).shape for name in node.op_inputs[:2])
        strides = tuple(node.attrs.get("strides") or ())
        stride = "" if set(strides) <= {1} else f"/{_times(_once(strides))}"
        groups = node.attrs.get("group", 1)
        split = f" in {groups} groups" if groups != 1 else ""
        batch = f"{y.shape[0]} times " if y.shape[0] != 1 else ""
        return (
            f"{node.op}{steps} {_times(w[2:])}{stride}, {x[1]}->{y.shape[1]}{split}, "
            f"{batch}{_times(y.shape[2:])}{more}"
        )
    if node.op == "Gemm":
        x = graph.spec(node.op_inputs[0]).shape
        inner = x[0] if node.attrs.transA else x[1]
        rows = f", {y.shape[0]} rows" if y.shape[0] != 1 else ""
        return f"{node.op}{steps} {inner}->{y.shape[1]}{rows}{more}"
    if node.op == "MatMul":
        factors = " * ".join(_times(graph.spec(name).shape) for name in node.op_inputs[:2])
        return f"{node.op}{steps} {factors}{more}"
    return f"{node.op}{steps} {_times(y.shape) or '1'}{more}"


def _once(sizes: tuple[int, ...]) -> tuple[int, ...]:
    return sizes[:1] if len(set(sizes)) == 1 else sizes


def _times(sizes: Iterable[object]) -> str:
    return "x".join(map(str, sizes))

"""Conv, Gemm and MatMul of a value on a grid with weights that were bytes: as ByteConv if the result is on a grid."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from clconv.graph.epilogue import without_epilogue
from clconv.graph.ir import Constant, DType, Node, TensorSpec
from clconv.graph.ops import make_node
from clconv.graph.passes.bytes.grid import Grid, Weights
from clconv.graph.passes.bytes.real_products import real_product
from clconv.graph.passes.bytes.tail import Tail, tail_of
from clconv.records import record

if TYPE_CHECKING:
    from clconv.graph.passes.bytes.place import Placer

_MOST = 1 << 31  # of a sum
_INEXACT = 1e-3  # of a step of the result, by which a bias may differ from one in the sums' steps


@dataclasses.dataclass
class WrittenConv:
    """A ByteConv that was written: where it stands, what follows its sums, and how it is written with another tail."""

    position: int
    tail: Tail
    finish: Callable[[Tail], Node]


@record(frozen=True)
class _Product:
    """x: bytes (N, C, spatial...). attrs: ByteConv's. bias: floats, or None."""

    name: str
    x: str
    grid: Grid
    weights: Weights
    bias: np.ndarray | None
    attrs: dict[str, Any]

    def sums(self, tail: Tail) -> tuple[np.ndarray, np.ndarray] | None:
        """Multiplier and bias of each filter; None if sums may not fit int32, or the bias is between steps."""
        values = self.weights.values.array
        along = tuple(range(1, values.ndim))
        step = self.weights.scale * self.grid.scale
        if not np.all(step > 0):
            return None
        bias = np.zeros(len(step)) if self.bias is None else self.bias.astype(np.float64)
        whole = np.rint(bias / step)
        if np.any(
            np.abs(whole * step - bias) > np.maximum(_INEXACT * tail.divisor, 2e-7 * abs(bias))
        ):
            return None
        whole -= self.grid.zero * values.sum(axis=along, dtype=np.int64)
        largest = np.abs(values, dtype=np.int32).sum(axis=along, dtype=np.int64) * 255
        if np.any(np.abs(whole) + largest >= _MOST):
            return None
        return (step / tail.divisor).astype(np.float32), whole.astype(np.int32)


def product_on_bytes(placer: Placer, node: Node) -> list[Node] | None:
    """Writes a product on bytes, if a kernel takes it; the nodes that are left to place, of what follows it. None if
    nothing was written."""
    if node.inputs[0] not in placer.grids:
        return None
    weights, bias = (_conv_weights if node.op == "Conv" else _matrix)(placer, node)
    rest = _rounded_product(placer, node, weights, bias)
    return real_product(placer, node, weights, bias) if rest is None else rest


def _rounded_product(
    placer: Placer, node: Node, weights: Weights | None, bias: np.ndarray | None
) -> list[Node] | None:
    """As ByteConv, if the result is on a grid as well."""
    x, is_conv = node.inputs[0], node.op == "Conv"
    tail = tail_of(node, placer.constants, placer.grids)
    if weights is None or tail is None or placer.specs[x].rank < 2:
        return None
    if tail.other and (not is_conv or not _same_shape(placer, tail.other, node)):
        return None
    if not is_conv and placer.specs[x].rank != 2:
        return None
    grid, attrs = placer.grids[x], _attributes(node, placer.grids[x])
    product = _Product(node.name, x, grid, weights, bias, attrs)
    if product.sums(tail) is None or not _fits(placer, product, tail, is_conv, node):
        return None
    head, rest = _split(placer, node, tail.length)
    write_product(placer, product, tail, head, is_conv)
    return rest


def _same_shape(placer: Placer, other: str, node: Node) -> bool:
    return bool(placer.specs[other].shape == placer.specs[node.outputs[0]].shape)


def _conv_weights(placer: Placer, node: Node) -> tuple[Weights | None, np.ndarray | None]:
    if node.attrs.pad_mode != "constant" or placer.specs[node.inputs[0]].rank not in (3, 4):
        return None, None
    bias = node.op_inputs[2] if len(node.op_inputs) > 2 else ""
    if bias and bias not in placer.constants:
        return None, None
    weights = Weights.of(placer.constants.get(node.inputs[1]))
    return weights, placer.constants[bias].array if bias else None


def _matrix(placer: Placer, node: Node) -> tuple[Weights | None, np.ndarray | None]:
    """Of Gemm and MatMul, rows times a constant matrix."""
    at, rank = node.attrs, placer.specs[node.inputs[0]].rank
    constant = placer.constants.get(node.inputs[1])
    if rank < 2 or constant is None or constant.spec.rank != 2:
        return None, None
    if node.op == "MatMul":
        return Weights.of(constant, turned=True), None
    bias = node.op_inputs[2] if len(node.op_inputs) > 2 else ""
    if at.alpha != 1 or at.transA or (bias and (at.beta != 1 or bias not in placer.constants)):
        return None, None
    weights = Weights.of(constant, turned=not at.transB)
    if weights is None or not bias:
        return weights, None
    known = placer.constants[bias].array
    if known.size not in (1, len(weights.scale)) or known.shape[:-1] not in ((), (1,)):
        return None, None
    return weights, np.broadcast_to(known.reshape(-1), weights.scale.shape)


def _attributes(node: Node, grid: Grid) -> dict[str, Any]:
    at = node.attrs
    if node.op != "Conv":
        ones: dict[str, Any] = {"strides": (1, 1), "dilations": (1, 1), "pads": (0,) * 4}
        return {**ones, "x_zero": grid.zero}
    window = {name: at[name] for name in ("strides", "dilations", "pads", "group")}
    return {**window, "x_zero": grid.zero}


def _fits(placer: Placer, product: _Product, tail: Tail, is_conv: bool, node: Node) -> bool:
    """Whether a kernel takes it."""
    x, y = placer.specs[product.x], placer.specs[node.outputs[0]]
    weights = product.weights.values
    constants: dict[str, Any] = {"w": weights}
    made = product.sums(tail)
    assert made is not None
    constants |= {"m": Constant(made[0]), "b": Constant(made[1])}
    constants["n"] = Constant(tail.numbers(placer.grids))
    shapes = (x.shape, y.shape) if is_conv else ((*x.shape, 1, 1), (*y.shape, 1, 1))
    specs = {n: TensorSpec(s, DType.UINT8) for n, s in zip("xy", shapes, strict=True)}
    if tail.other:
        specs["o"] = specs["y"]
    inputs = ["x", "w", "m", "b", "n", *(["o"] if tail.other else [])]
    probe = make_node("ByteConv", inputs, ["y"], product.name, **product.attrs, twice=tail.twice)
    return placer.takes(probe, specs, constants)


def _split(placer: Placer, node: Node, length: int) -> tuple[str, list[Node]]:
    """The name of what the first steps of the epilogue make, and what is left as nodes."""
    if length == len(node.epilogue):
        return node.outputs[0], []
    nodes = without_epilogue(node, placer.fresh)
    middle = nodes[length].outputs[0]
    placer.specs[middle] = placer.specs[node.outputs[0]]
    for one in nodes[length + 1 : -1]:
        placer.specs[one.outputs[0]] = placer.specs[node.outputs[0]]
    return middle, nodes[length + 1 :]


def write_product(
    placer: Placer, product: _Product, tail: Tail, result: str, is_conv: bool
) -> None:
    x = placer.on_bytes(product.x)
    if not is_conv:
        shape = placer.constant(
            np.array((*placer.specs[x].shape, 1, 1), np.int64), f"{result}/shape"
        )
        x = placer.node("Reshape", [x, shape], f"{result}/image")
    line = placer.fresh(f"{result}/bytes")
    weights = placer.constant(product.weights.values, f"{product.name}/weights")

    def finish(tail: Tail) -> Node:
        made = product.sums(tail)
        assert made is not None
        names = [
            placer.constant(array, f"{product.name}/{what}")
            for what, array in zip(
                ("multiplier", "sums", "numbers"), (*made, tail.numbers(placer.grids)), strict=True
            )
        ]
        inputs = [x, weights, *names]
        if tail.other:
            inputs.append(placer.on_bytes(tail.other))
        name = product.name
        return make_node("ByteConv", inputs, [line], name, **product.attrs, twice=tail.twice)

    node = finish(tail)
    placer.emit(node)
    placer.products += 1
    if is_conv:
        placer.made[result] = WrittenConv(len(placer.nodes) - 1, tail, finish)
        placer.gives(result, line, tail.result)
        return
    shape = placer.constant(np.array(placer.specs[line].shape[:2], np.int64), f"{result}/shape")
    flat = placer.node("Reshape", [line, shape], f"{result}/rows")
    placer.gives(result, flat, tail.result)

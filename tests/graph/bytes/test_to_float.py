"""Products of what is quantised by its own range at a run: on bytes they give the same floats."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from clconv.graph.ir import Graph
from clconv.graph.ops import make_node
from clconv.graph.passes import run_passes
from clconv.graph.passes.bytes import place_bytes
from clconv.graph.reference import run_reference
from clconv.graph.verify import verify
from tests.graph.graph_builder import CONV, Builder, specialised


class Dynamic(Builder):
    """Networks as onnxruntime's quantize_dynamic writes them."""

    def quantised(self, x: str) -> tuple[str, str, str]:
        y, scale, zero = (f"{x}/{part}" for part in ("bytes", "scale", "zero"))
        self.nodes.append(make_node("DynamicQuantizeLinear", [x], [y, scale, zero], f"{x}/range"))
        return y, scale, zero

    def product(
        self, op: str, x: str, w: np.ndarray, steps: Any, zero: int = 0, **attrs: Any
    ) -> str:
        """x times weights, each of whose filters has a scale of its own if there are several."""
        given, scale, point = self.quantised(x)
        weights = self.constant(w, w.dtype.name), self.constant(zero, w.dtype.name)
        sums = self.node(op, given, weights[0], point, weights[1], **attrs)
        factor = self.node("Mul", scale, self.constant(steps))
        return self.node("Mul", self.node("Cast", sums, to="float32"), factor)

    def placed(self, *outputs: str) -> Graph:
        """On bytes; compared with the reference of what was given."""
        given = self.graph(*outputs)
        floats = run_passes(specialised(run_passes(given)))
        made = verify(place_bytes(floats, lambda *_: True))
        feeds = {
            n: self.rng.uniform(-4, 4, made.specs[n].shape).astype(np.float32) for n in made.inputs
        }
        expected, found = run_reference(given, feeds), run_reference(made, feeds)
        for name, value in expected.items():
            np.testing.assert_allclose(found[name], value, rtol=1e-5, atol=1e-5 * abs(value).max())
        return made


def integers(b: Builder, *shape: int, dtype: str = "int8") -> np.ndarray:
    limits = np.iinfo(dtype)
    return b.rng.integers(limits.min, limits.max + 1, shape).astype(dtype)


def ops(graph: Graph) -> list[tuple[str, ...]]:
    return [(n.op, *(s.op for s in n.epilogue)) for n in graph.nodes]


@pytest.mark.parametrize("steps", [0.02, "each"])
def test_a_dense_layer(steps: Any) -> None:
    b = Dynamic()
    each = [0.01, 0.02, 0.03, 0.04, 0.05] if steps == "each" else steps
    y = b.product("MatMulInteger", b.input(3, 7), integers(b, 7, 5), each)
    y = b.node("Relu", b.node("Add", y, b.constant(b.rng.uniform(-1, 1, 5))))
    assert ops(b.placed(y)) == [("DynamicQuantizeLinear",), ("ByteMatMulToFloat", "Add", "Relu")]


def test_rows_of_more_axes_take_a_bias_and_what_follows() -> None:
    b = Dynamic()
    x = b.input(2, 3, 6)
    y = b.product("MatMulInteger", x, integers(b, 6, 6), 0.01)
    y = b.node("Add", b.constant(b.rng.uniform(-1, 1, 6)), y)
    made = b.placed(b.node("Add", b.node("Relu", y), x))
    assert ops(made) == [("DynamicQuantizeLinear",), ("ByteMatMulToFloat", "Relu", "Add")]
    assert len(made.nodes[1].op_inputs) == 6


def test_rows_that_are_reshaped_behind_a_product_are_reshaped_before_it() -> None:
    b = Dynamic()
    x = b.input(2, 3, 6)
    y = b.node("Reshape", x, b.constant([6, 6], "int64"))
    y = b.product("MatMulInteger", y, integers(b, 6, 6), 0.01)
    y = b.node("Add", y, b.constant(b.rng.uniform(-1, 1, 6)))
    y = b.node("Reshape", y, b.constant([2, 3, 6], "int64"))
    made = b.placed(b.node("Add", y, x))
    assert ops(made)[-1] == ("ByteMatMulToFloat", "Add")


@pytest.mark.parametrize("group", [1, 4])
def test_a_convolution(group: int) -> None:
    b = Dynamic()
    window = {**CONV, "pads": (1, 1, 1, 1), "group": group}
    steps = b.rng.uniform(0.01, 0.02, (1, 8, 1, 1))
    y = b.product(
        "ConvInteger", b.input(2, 4, 5, 6), integers(b, 8, 4 // group, 3, 3), steps, **window
    )
    y = b.node("Relu", b.node("Add", y, b.constant(b.rng.uniform(-1, 1, (1, 8, 1, 1)))))
    assert ops(b.placed(y))[-1] == ("ByteConvToFloat", "Add", "Relu")


@pytest.mark.parametrize(("zero", "op"), [(128, "ByteMatMulToFloat"), (100, "MatMul")])
def test_weights_that_fit_no_int8_stay_floats(zero: int, op: str) -> None:
    b = Dynamic()
    w = integers(b, 7, 5, dtype="uint8")
    w[0], w[1] = 0, 255
    made = b.placed(b.product("MatMulInteger", b.input(3, 7), w, 0.01, zero))
    assert op in {n.op for n in made.nodes}


def test_what_two_read_is_quantised_once() -> None:
    b = Dynamic()
    given, scale, point = b.quantised(b.input(3, 7))
    ends = []
    for _ in range(2):
        weights = b.constant(integers(b, 7, 5), "int8"), b.constant(0, "int8")
        sums = b.node(
            "Cast", b.node("MatMulInteger", given, weights[0], point, weights[1]), to="float32"
        )
        ends.append(b.node("Mul", sums, scale))
    made = b.placed(b.node("Sub", *ends))
    assert sorted(n.op for n in made.nodes).count("DynamicQuantizeLinear") == 1
    assert sum(n.op == "ByteMatMulToFloat" for n in made.nodes) == 2

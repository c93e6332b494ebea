"""Sizes that a model leaves open, as names."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest

from clconv.frontend.onnx import import_onnx
from clconv.graph.ir import DType, Graph, TensorSpec
from clconv.graph.specialise.open_sizes import named_inputs, with_open_sizes
from tests.frontend.support import model, node, random, value


def imported(
    nodes: list[onnx.NodeProto],
    *shape: int | str,
    constants: dict[str, Any],
    outputs: list[tuple[str, int]],
) -> Graph:
    built = model(
        nodes,
        [value("x", *shape)],
        [value(n, *["?"] * rank) for n, rank in outputs],
        constants,
        opset=17,
    )
    return import_onnx(built.SerializeToString())


def test_strides_divide_and_edges_are_lost() -> None:
    w = random(5, 3, 3, 3)
    graph = imported(
        [
            node("Conv", ["x", "w"], ["a"], "valid", kernel_shape=[3, 3]),
            node("Conv", ["x", "w"], ["b"], "half", strides=[2, 2], pads=[1, 1, 1, 1]),
            node("Resize", ["b", "", "scales"], ["y"], "thrice"),
            node("Flatten", ["b"], ["flat"], "flat"),
        ],
        "batch", 3, "rows", "columns",
        constants={"w": w, "scales": np.array([1, 1, 3, 3], np.float32)},
        outputs=[("y", 4), ("a", 4), ("flat", 2)],
    )  # fmt: skip
    inputs = named_inputs(graph.input_specs())
    assert inputs == {"x": ("N", 3, "H", "W")}
    found = with_open_sizes(graph, inputs, fused=False)
    assert found is not None and found.example == {"N": 1, "H": 224, "W": 224}
    assert found.shapes["half"] == ("N", 5, "H/2", "W/2")
    assert found.shapes["thrice"] == ("N", 5, "3*H/2", "3*W/2")
    assert found.shapes["value y"] == found.shapes["thrice"]
    assert found.shapes["valid"] == ("N", 5, "H-2", "W-2")
    assert found.shapes["flat"] == ("N", "5*H*W/4")


@pytest.mark.parametrize(
    ("shape", "names"),
    [
        ((None, 224, 224, 3), ("N", 224, 224, 3)),
        (("batch", "h", "w", 3), ("N", "H", "W", 3)),
        ((1, 3, "side", "side"), (1, 3, "H", "H")),
        (("N", "time"), ("N", "time")),
        ((2, 3, 4, 5, None), (2, 3, 4, 5, "D")),
    ],
)
def test_names_by_place(shape: tuple[object, ...], names: tuple[object, ...]) -> None:
    assert named_inputs({"x": TensorSpec(shape, DType.FLOAT32)}) == {"x": names}


def test_two_inputs_have_sizes_of_their_own() -> None:
    specs = {
        "a": TensorSpec((1, 3, "h", "w"), DType.FLOAT32),
        "b": TensorSpec((1, 3, "h", "other"), DType.FLOAT32),
    }
    assert named_inputs(specs) == {"a": (1, 3, "H", "W"), "b": (1, 3, "H", "W2")}


def test_a_network_that_takes_no_example() -> None:
    """A reshape to a fixed size takes one height only."""
    graph = imported(
        [node("Reshape", ["x", "to"], ["y"], "r")],
        1,
        1,
        "H",
        7,
        constants={"to": np.array([7, 11], np.int64)},
        outputs=[("y", 2)],
    )
    assert with_open_sizes(graph, named_inputs(graph.input_specs()), fused=False) is None

"""Small models for the stand-in's and the command line's tests."""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, TensorProto, helper

from tests.frontend.support import model, node, random, value


def classifier(classes: int = 10) -> ModelProto:
    """image (N, 3, 8, 8) -> scores (N, classes): Conv, Relu, GlobalAveragePool, Flatten, Gemm."""
    built = model(
        [
            node("Conv", ["image", "w", "b"], ["c"], "first", pads=[1, 1, 1, 1]),
            node("Relu", ["c"], ["r"], "rectify"),
            node("GlobalAveragePool", ["r"], ["p"], "pool"),
            node("Flatten", ["p"], ["f"], "flatten"),
            node("Gemm", ["f", "k", "l"], ["scores"], "last", transB=1),
        ],
        [value("image", "N", 3, 8, 8)],
        [value("scores", "N", classes)],
        {
            "w": random(5, 3, 3, 3, seed=1),
            "b": random(5, seed=2),
            "k": random(classes, 5, seed=3),
            "l": random(classes, seed=4),
        },
        opset=17,
        producer_name="tests",
        doc_string="a small classifier",
        model_version=3,
    )
    helper.set_model_props(built, {"character": "a\nb\nc"})
    return built


def fixed(batch: int) -> ModelProto:
    """x (batch, 3, 8, 8) -> y (batch, 2, 8, 8)."""
    return model(
        [node("Conv", ["x", "w"], ["y"], "only", pads=[1, 1, 1, 1])],
        [value("x", batch, 3, 8, 8)],
        [value("y", batch, 2, 8, 8)],
        {"w": random(2, 3, 3, 3, seed=1)},
        opset=17,
    )


def brightener() -> ModelProto:
    """picture (1, 3, H, W) -> (1, 3, H, W): half as bright, through a 1x1 convolution."""
    half = (np.eye(3, dtype=np.float32) / 2).reshape(3, 3, 1, 1)
    return model(
        [node("Conv", ["picture", "w"], ["darker"], "halve")],
        [value("picture", 1, 3, "H", "W")],
        [value("darker", 1, 3, "H", "W")],
        {"w": half},
        opset=17,
    )


def two_inputs() -> ModelProto:
    """a + b and a * b of shape (2, 3)."""
    return model(
        [node("Add", ["a", "b"], ["sum"], "add"), node("Mul", ["a", "b"], ["file"], "multiply")],
        [value("a", 2, 3), value("b", 2, 3)],
        [value("sum", 2, 3), value("file", 2, 3)],
        opset=17,
    )


def unsupported() -> ModelProto:
    """Two operators that clconv does not have."""
    return model(
        [
            helper.make_node("Conjure", ["x"], ["h"], "one", domain="made.up"),
            helper.make_node("Enchant", ["h"], ["y"], "two", domain="made.up"),
        ],
        [value("x", 1, TensorProto.FLOAT)],
        [value("y", 1)],
        domains=[helper.make_opsetid("made.up", 1)],
    )

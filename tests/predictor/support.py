"""What workers import: it must not need a device."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from onnx import ModelProto

from tests.frontend.support import model, node, value


def doubler() -> ModelProto:
    """x (N, 4) -> y (N, 4): 2 x + 1."""
    return model(
        [node("Mul", ["x", "two"], ["d"], "double"), node("Add", ["d", "one"], ["y"], "add")],
        [value("x", "N", 4)],
        [value("y", "N", 4)],
        {"two": np.full(1, 2, np.float32), "one": np.ones(1, np.float32)},
        opset=17,
    )


def rows(numbers: np.ndarray) -> np.ndarray:
    """Each number four times, as float32."""
    return np.repeat(np.asarray(numbers, np.float32)[:, np.newaxis], 4, axis=1)


def with_rows(batch: dict[str, Any]) -> dict[str, Any]:
    """A batch of numbers ("id") with the rows made of them: what decoding a file would be."""
    return {**batch, "x": rows(batch["id"])}


def dies_once(batch: dict[str, Any]) -> dict[str, Any]:
    """The worker that gets number 37 first is killed before it answers, as by a lack of memory; its successor is not."""
    if 37 in batch["id"]:
        try:
            Path(os.environ["CLCONV_TEST_DEATH"]).touch(exist_ok=False)
        except FileExistsError:
            pass
        else:
            os.kill(os.getpid(), 9)
    return with_rows(batch)

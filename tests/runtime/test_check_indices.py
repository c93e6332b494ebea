"""CLCONV_CHECK names the node and the index where an index of run time lies outside; without it nothing breaks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

from clconv.api import load
from clconv.device.info import DeviceInfo
from clconv.errors import CheckError
from tests.frontend.support import model, node, value

UPDATES = {"u": np.ones((1, 3), np.float32)}
NODES: dict[str, tuple[Any, tuple[int, ...], dict[str, np.ndarray]]] = {
    "Gather": (node("Gather", ["x", "i"], ["y"], name="here"), (1,), {}),
    "GatherElements": (node("GatherElements", ["x", "i"], ["y"], name="here"), (1, 3), {}),
    "GatherND": (node("GatherND", ["x", "i"], ["y"], name="here"), (1, 1), {}),
    "ScatterND": (node("ScatterND", ["x", "i", "u"], ["y"], name="here"), (1, 1), UPDATES),
    "ScatterElements": (node("ScatterElements", ["x", "i", "u"], ["y"], name="here"), (1, 3), UPDATES),
}  # fmt: skip


@pytest.mark.parametrize("index", [7, 4, -5])
@pytest.mark.parametrize("op", NODES)
def test_an_index_outside(
    device: DeviceInfo, op: str, index: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, shape, constants = NODES[op]
    session = load(
        model(
            [made],
            [value("x", 4, 3), value("i", *shape, dtype=TensorProto.INT64)],
            constants=constants,
        ).SerializeToString(),
        device=device,
    )
    x = np.arange(12, dtype=np.float32).reshape(4, 3)
    feeds = {"x": x, "i": np.full(shape, index)}
    found = session.run(feeds)["y"]
    if op.startswith("Gather"):  # clamped
        np.testing.assert_array_equal(found.reshape(-1), x[3 if index > 0 else 0])
    else:  # left out
        np.testing.assert_array_equal(found, x)
    monkeypatch.setenv("CLCONV_CHECK", "1")
    with pytest.raises(CheckError, match=rf"'here'.*{index}"):
        session.run(feeds)


def test_an_error_leaves_no_launch_behind(
    device: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kernel that is compiled at its first launch may begin long after the session and its memory are gone."""
    calls: list[str] = []
    made, shape, constants = NODES["ScatterND"]
    fed = [value("x", 4, 3), value("i", *shape, dtype=TensorProto.INT64)]
    session = load(model([made], fed, constants=constants).SerializeToString(), device=device)
    queue = type(session.prepare({"x": (4, 3), "i": shape}).queue)
    for name in ("launch", "finish"):
        monkeypatch.setattr(queue, name, _telling(getattr(queue, name), calls))
    monkeypatch.setenv("CLCONV_CHECK", "1")
    with pytest.raises(CheckError, match="node 'here'"):
        session.run({"x": np.zeros((4, 3), np.float32), "i": np.full(shape, 9)})
    assert "launch" in calls and calls[-1] == "finish"


def _telling(function: Callable[..., Any], calls: list[str]) -> Callable[..., Any]:
    def telling(*arguments: Any) -> Any:
        calls.append(function.__name__)
        return function(*arguments)

    return telling

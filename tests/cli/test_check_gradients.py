"""`clconv check --gradients`: the backward pass node by node."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clconv.graph.evaluate import evaluate_node
from clconv.graph.ir import Node
from clconv.runtime.check import TOLERANCE, relative_error
from tests.cli.conftest import Clconv
from tests.training.test_forms import exported


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("gradients") / "network.onnx"
    path.write_bytes(exported("training"))
    return path


def test_both_ways_are_checked(clconv: Clconv, network: Path) -> None:
    """A batch norm takes the batch's statistics, a Dropout drops, every parameter has a row for its gradient."""
    printed = clconv.works("check", network, "--gradients", "--shape", "x=3x3x8x8")
    assert "0 differ" in printed
    for row in ("BatchNormalizationGradient", "ConvWeightGradient", "Dropout", "gemm"):
        assert row in printed
    for name in ("0.weight", "1.weight", "1.bias", "5.weight", "5.bias"):
        assert f"{name}.grad" in printed
    assert ".grad" not in clconv.works("check", network, "--gradients", "-q")
    assert "Gradient" not in clconv.works("check", network)


def test_a_wrong_gradient_is_marked(
    clconv: Clconv, network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoiled(node: Node, values: list[Any]) -> list[np.ndarray]:
        return [v + (node.op == "ConvWeightGradient") for v in evaluate_node(node, values)]

    monkeypatch.setattr("clconv.runtime.check.evaluate_node", spoiled)
    result = clconv("check", network, "--gradients")
    assert result.exit_code == 1
    marked = [line for line in result.stdout.splitlines() if "!" in line]
    assert len(marked) == 1 and "0.weight.grad" in marked[0]


def test_what_has_no_gradients(clconv: Clconv, models: Path, network: Path) -> None:
    clconv.fails("check", models / "two.onnx", "--gradients", saying="has no parameters")
    clconv.fails("check", network, "--gradients", "--precision", "float16", saying="float32")


def test_sums_that_cancel_are_held_against_their_terms() -> None:
    """What rounding leaves of 0 is no error; a term that is missing is one."""
    expected, found = np.array([1e-9, 0.0]), np.array([3e-9, -2e-9])
    assert relative_error(found, expected) > TOLERANCE
    assert relative_error(found, expected, least=0.01) < TOLERANCE
    assert relative_error(found + 1e-4, expected, least=0.01) > TOLERANCE

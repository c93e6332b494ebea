"""Matrix instructions are used only where they are verified; here they are emulated."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import clconv
from clconv.device.info import DeviceInfo
from clconv.errors import KernelBuildError
from clconv.graph.ir import Constant, Graph, TensorSpec
from clconv.graph.ops import make_node
from clconv.probes import matrix_probe
from clconv.probes.matrix_probe import verified_matrix, with_verified_matrix
from clconv.runtime.bound import BoundPlan

ALL = frozenset({"tf32", "f16", "f16 k16", "emulated"})
INTEL = frozenset({"f16 8 lanes", "f16 16 lanes", "emulated"})


@pytest.mark.parametrize("matrix", [ALL, pytest.param(INTEL, marks=pytest.mark.slow)], ids=len)
def test_what_works_is_kept(device: DeviceInfo, matrix: frozenset[str]) -> None:
    able = dataclasses.replace(device, matrix=matrix)
    assert verified_matrix(able) == dataclasses.replace(able, matrix_verified=True)
    assert verified_matrix(dataclasses.replace(device, matrix=frozenset())).matrix_verified is False


def test_what_does_not_compile_or_is_wrong_is_not(
    device: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tried(device: DeviceInfo, precision: str) -> bool:
        if "tf32" in device.matrix:
            raise KernelBuildError("no such instruction")
        return "f16 k16" not in device.matrix

    monkeypatch.setattr(matrix_probe, "multiplies_right", tried)
    able = dataclasses.replace(device, matrix=ALL, index=device.index, driver="another")
    assert verified_matrix(able).matrix == {"f16", "emulated"}
    assert dataclasses.replace(verified_matrix(able), matrix=ALL, matrix_verified=False) == able


def test_of_two_lengths_of_subgroups_the_one_there_is_is_kept(
    device: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        matrix_probe, "multiplies_right", lambda tried, _: "f16 16 lanes" in tried.matrix
    )
    able = dataclasses.replace(device, matrix=INTEL, driver="one more")
    assert verified_matrix(able).matrix == {"f16 16 lanes", "emulated"}


def test_a_wrong_product_is_noticed(device: DeviceInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    able = dataclasses.replace(device, matrix=frozenset({"tf32", "emulated"}))
    assert matrix_probe.multiplies_right(able, "tf32")
    right = BoundPlan.run

    def wrong(*arguments: object) -> dict[str, np.ndarray]:
        found = right(*arguments)  # type: ignore[arg-type]
        found["y"][-1, -1] += 1
        return found

    monkeypatch.setattr(BoundPlan, "run", wrong)
    assert not matrix_probe.multiplies_right(able, "tf32")


def test_tf32_rounds_only_if_it_is_asked_for(device: DeviceInfo) -> None:
    rng = np.random.default_rng(1)
    a, b = (rng.uniform(-1, 1, shape).astype(np.float32) for shape in ((40, 33), (33, 50)))
    node = make_node("MatMul", ["a", "b"], ["y"])
    specs = {"a": TensorSpec.of(a), "b": TensorSpec.of(b)}
    graph = Graph("product", (node,), ("a", "b"), ("y",), specs, {})
    able = dataclasses.replace(device, kind="gpu", matrix=frozenset({"tf32", "emulated"}))

    def error(precision: str) -> float:
        found = clconv.load(graph, able, precision=precision).run({"a": a, "b": b})["y"]
        exact = a.astype(np.float64) @ b
        return float(np.abs(found - exact).max() / np.abs(exact).max())

    assert error("float32") < 1e-6 < 1e-5 < error("tf32") < 1e-3


def product_of(dtype: type[np.floating]) -> tuple[Graph, dict[str, np.ndarray]]:
    rng = np.random.default_rng(2)
    a, b = (rng.uniform(-1, 1, shape).astype(dtype) for shape in ((40, 333), (333, 50)))
    node = make_node("MatMul", ["a", "b"], ["y"])
    specs, constants = {"a": TensorSpec.of(a)}, {"b": Constant(b)}
    return Graph("product", (node,), ("a",), ("y",), specs, constants), {"a": a}


def test_halves_take_matrix_instructions_unasked(device: DeviceInfo) -> None:
    """Products of halves are exact in float32: as near to the exact sums as the float32 kernel is."""
    graph, feeds = product_of(np.float16)
    able = dataclasses.replace(device, kind="gpu", matrix=frozenset({"f16", "f16 k16", "emulated"}))
    assert not able.matrix_verified
    session = clconv.load(graph, able)
    assert session.precision == "float32" and session.device.matrix_verified
    bound = session.prepare({"a": (40, 333)})
    assert [choice.name for choice in bound.plan.lowered.choices.values()] == ["matrix"]
    exact = feeds["a"].astype(np.float64) @ graph.constants["b"].array.astype(np.float64)
    found = session.run(feeds)["y"]
    assert found.dtype == np.float16
    np.testing.assert_allclose(found, exact, rtol=2**-10, atol=1e-6 * np.abs(exact).max())


def test_nothing_is_tried_that_nothing_asks_for(
    device: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    def noted(one: DeviceInfo, precision: str) -> bool:
        tried.extend(one.matrix - {"emulated"})
        return True

    monkeypatch.setattr(matrix_probe, "multiplies_right", noted)
    able = dataclasses.replace(device, matrix=ALL, driver="two more")
    wide, narrow = product_of(np.float32)[0], product_of(np.float16)[0]
    assert with_verified_matrix(wide, able, "float32") is able
    assert not tried
    assert with_verified_matrix(narrow, able, "float32").matrix == ALL - {"tf32"}
    assert set(tried) == {"f16", "f16 k16"}
    assert with_verified_matrix(wide, able, "tf32").matrix == {"tf32", "emulated"}
    cast = make_node("Cast", ["a"], ["h"], to="float16")
    loop = make_node("Loop", ["n", "", "a"], ["y"], carried=1, body=wide.replace(nodes=(cast,)))
    assert with_verified_matrix(wide.replace(nodes=(loop,)), able, "float32").matrix_verified

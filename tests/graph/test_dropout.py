"""What Dropout draws: the generator's known answers, shares, and that seeds and steps differ."""

from __future__ import annotations

import numpy as np
import pytest

from clconv.graph.derivatives import gradients
from clconv.graph.ir import Constant, DType, Graph, TensorSpec
from clconv.graph.ops import make_node
from clconv.graph.ops.movement.dropout import key_of
from clconv.graph.ops.movement.philox import philox, random_words
from clconv.graph.reference import run_reference

ALL = 0xFFFFFFFF


@pytest.mark.parametrize(
    ("counter", "key", "wanted"),
    [
        ((0, 0, 0, 0), (0, 0), "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ((ALL,) * 4, (ALL, ALL), "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            "d16cfe09 94fdcceb 5001e420 24126ea1",
        ),
    ],
)
def test_known_answers(counter: tuple[int, ...], key: tuple[int, int], wanted: str) -> None:
    """The published ones of Random123."""
    low, high = counter[0] | counter[1] << 32, counter[2] | counter[3] << 32
    words = philox(np.array([low], np.uint64), high, key)[:, 0]
    assert [f"{int(w):08x}" for w in words] == wanted.split()


def test_words_of_a_part_are_those_of_the_whole() -> None:
    whole = random_words(1000, 3, (1, 2))
    for count in (1, 31, 32, 33, 999):
        np.testing.assert_array_equal(random_words(count, 3, (1, 2)), whole[:count])
    assert len(set(whole.tolist())) == 1000


def test_keys_of_other_seeds_differ() -> None:
    seeds = (0, 1, 2, 1000, 2**32 - 1)
    assert len({key_of(own, (given, 0)) for own in seeds for given in seeds}) == len(seeds) ** 2


def dropout(ratio: float, shape: tuple[int, ...], seed: int = 0) -> Graph:
    node = make_node("Dropout", ["x", "ratio", "yes", "random"], ["y", "mask"], seed=seed)
    constants = {"ratio": Constant(np.float32(ratio)), "yes": Constant(np.array(True))}
    specs = {"x": TensorSpec(shape), "random": TensorSpec((2,), DType.INT64)}
    return Graph("g", (node,), ("x", "random"), ("y", "mask"), specs, constants)


def draw(graph: Graph, seed: int, step: int) -> np.ndarray:
    x = np.ones(graph.specs["x"].shape, np.float32)
    return run_reference(graph, {"x": x, "random": np.array([seed, step])})["mask"]


@pytest.mark.parametrize("ratio", [0.0, 0.1, 0.5, 0.9])
def test_as_many_are_dropped_as_asked_for(ratio: float) -> None:
    mask = draw(dropout(ratio, (100, 1000)), 0, 0)
    assert abs(1 - mask.mean() - ratio) < 4 * np.sqrt(ratio * (1 - ratio) / mask.size) + 1e-12


def test_steps_seeds_and_layers_are_independent() -> None:
    graph = dropout(0.5, (100, 200))
    first = draw(graph, 0, 0)
    np.testing.assert_array_equal(first, draw(graph, 0, 0))
    others = (draw(graph, 0, 1), draw(graph, 1, 0), draw(dropout(0.5, (100, 200), seed=1), 0, 0))
    for other in others:
        assert abs((first == other).mean() - 0.5) < 0.02


def test_the_gradient_drops_the_same() -> None:
    graph = dropout(0.25, (7, 9))
    feeds = {"x": np.ones((7, 9), np.float32), "random": np.array([3, 8])}
    found = run_reference(gradients(graph, ["y"], ["x"]), feeds)
    np.testing.assert_allclose(found["x.grad"], found["mask"] / np.float32(0.75), rtol=1e-6)

"""Occlusion, saliency, class activation maps, patches: against networks whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

import clconv
from clconv import layers as L
from clconv import visualize
from clconv.errors import InputError
from clconv.graph.ir import Constant

RNG = np.random.default_rng(0)
PLACE = (5, 2)


def looks_at_one_place() -> clconv.Graph:
    """Two classes over an 8 x 8 picture: class 1 is 3 times the second channel's pixel at PLACE."""
    graph = L.Sequential(L.Conv2d(2, 8, bias=False, name="conv")).build((3, 8, 8), batch=1)
    filters = np.zeros((2, 3, 8, 8), np.float32)
    filters[1, 1][PLACE] = 3
    return graph.replace(constants={"conv.weight": Constant(filters)})


def test_saliency_is_the_filter(device: clconv.DeviceInfo) -> None:
    picture = RNG.random((1, 3, 8, 8), np.float32)
    found = visualize.saliency(looks_at_one_place(), picture, 1, device=device)
    wanted = np.zeros((8, 8))
    wanted[PLACE] = 3
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    assert not visualize.saliency(looks_at_one_place(), picture, 0, device=device).any()


def test_occlusion_falls_where_the_network_looks(device: clconv.DeviceInfo) -> None:
    picture = RNG.random((1, 3, 8, 8), np.float32) + 1
    found = visualize.occlusion(
        looks_at_one_place(), picture, 1, size=3, stride=2, fill=0.5, device=device
    )
    starts = [0, 2, 4, 5]  # the last one ends at the edge
    wanted = np.zeros((4, 4))
    for i, top in enumerate(starts):
        for j, left in enumerate(starts):
            if top <= PLACE[0] < top + 3 and left <= PLACE[1] < left + 3:
                wanted[i, j] = 3 * (picture[0, 1][PLACE] - 0.5)
    assert np.count_nonzero(wanted) == 4
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_class_activation_map_against_numpy(device: clconv.DeviceInfo) -> None:
    """With a mean over places and a dense layer after it, a channel's weight is the dense layer's over the places."""
    graph = L.Sequential(
        L.Conv2d(4, 3, padding=1, name="conv"), L.Relu(name="relu"), L.GlobalAvgPool2d(),
        L.Dense(3, name="dense"), L.Softmax(),
    ).build((2, 6, 6), batch=1)  # fmt: skip
    picture = RNG.standard_normal((1, 2, 6, 6)).astype(np.float32)
    maps = visualize.feature_maps(graph, picture, ["relu"], device=device)["relu"][0]
    weights = graph.constants["dense.weight"].array[2]
    wanted = np.maximum(np.einsum("c,chw->hw", weights / 36, maps), 0)
    found = visualize.class_activation_map(graph, picture, 2, layer="relu", device=device)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)
    chosen = visualize.class_activation_map(graph, picture, 2, device=device)
    np.testing.assert_allclose(chosen, wanted, rtol=1e-4, atol=1e-6)


def test_the_best_patch_is_where_the_pattern_was_put(device: clconv.DeviceInfo) -> None:
    graph = L.Sequential(L.Conv2d(2, 3, bias=False, name="conv")).build((1, 8, 9), batch=1)
    filters = RNG.standard_normal((2, 1, 3, 3)).astype(np.float32)
    graph = graph.replace(constants={"conv.weight": Constant(filters)})
    pictures = [np.zeros((1, 1, 8, 9), np.float32) for _ in range(2)]
    pictures[1][0, 0, 4:7, 5:8] = filters[1, 0]
    found = visualize.best_patches(graph, pictures, "conv", [1], count=1, device=device)[1]
    assert [(p.picture, p.box) for p in found] == [(1, (4, 5, 7, 8))]
    assert found[0].answer == pytest.approx(float((filters[1] ** 2).sum()), rel=1e-5)


@pytest.mark.parametrize("target", [-1, 2])
def test_a_class_that_there_is_not(target: int) -> None:
    with pytest.raises(InputError, match=f"has 2 channels, not {target}"):
        visualize.saliency(looks_at_one_place(), np.zeros((1, 3, 8, 8), np.float32), target)

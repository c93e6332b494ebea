"""Receptive fields against brute force: which pixels change a place's value."""

from __future__ import annotations

import numpy as np
import pytest

import clconv
from clconv import layers as L
from clconv import visualize
from clconv.graph.ir import Constant

NETWORKS = {
    "strides": [L.Conv2d(2, 3, stride=2, padding=1), L.Relu(), L.AvgPool2d(3, stride=2), L.Conv2d(1, 2, name="last")],
    "dilation": [L.Conv2d(2, 3, dilation=2, padding=1), L.Conv2d(1, 3, padding=1, name="last")],
}  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
def test_the_pixels_that_change_a_place(name: str, device: clconv.DeviceInfo) -> None:
    graph = L.Sequential(*NETWORKS[name]).build((1, 17, 13), batch=1)
    positive = {n: Constant(np.abs(c.array) + 0.1) for n, c in graph.constants.items()}
    graph = graph.replace(
        constants={
            n: positive[n] if graph.constants[n].spec.dtype.is_float else graph.constants[n]
            for n in positive
        }
    )
    field = visualize.receptive_field(graph, "last")
    session = clconv.Session(graph, device)

    def run(picture: np.ndarray) -> np.ndarray:
        (found,) = session.run({"input": picture}).values()
        return found[0, 0]

    picture = np.ones((1, 1, 17, 13), np.float32)
    before = run(picture)
    seen = np.zeros((*before.shape, 17, 13), bool)
    for y in range(17):
        for x in range(13):
            changed = picture.copy()
            changed[0, 0, y, x] += 10
            seen[:, :, y, x] = np.abs(run(changed) - before) > 1e-3
    for row in range(before.shape[0]):
        for column in range(before.shape[1]):
            ys, xs = np.nonzero(seen[row, column])
            brute = (ys.min(), xs.min(), ys.max() + 1, xs.max() + 1)
            assert field.box(row, column, 17, 13) == brute, (row, column)


def test_a_mean_over_places_sees_everything() -> None:
    graph = L.Sequential(L.Conv2d(2, 3), L.GlobalAvgPool2d(), L.Dense(2, name="dense")).build(
        (1, 8, 8)
    )
    assert visualize.receptive_field(graph, "dense").box(0, 0, 8, 8) == (0, 0, 8, 8)

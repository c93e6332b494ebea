"""What a neuron looks for: known where it is a filter, and errors where there is nothing to look for."""

from __future__ import annotations

import numpy as np
import pytest

import clconv
from clconv import layers as L
from clconv import visualize
from clconv.errors import InputError
from clconv.graph.ir import Constant

SIZE = 9


def one_layer(filters: np.ndarray) -> clconv.Graph:
    """A convolution whose filters cover the whole picture, with these weights, then ReLU."""
    graph = L.Sequential(
        L.Conv2d(len(filters), SIZE, bias=False, name="conv"), L.Relu(name="relu")
    ).build((filters.shape[1], SIZE, SIZE), batch=None)
    return graph.replace(constants={"conv.weight": Constant(filters)})


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float((a * b).sum() / np.linalg.norm(a) / np.linalg.norm(b))


@pytest.mark.parametrize("channel", [0, 1])
def test_what_maximises_a_filter_is_the_filter(device: clconv.DeviceInfo, channel: int) -> None:
    filters = np.random.default_rng(0).standard_normal((2, 3, SIZE, SIZE)).astype(np.float32)
    found = visualize.maximize(
        one_layer(filters), "conv", channel, steps=60, jitter=0, smoothing=0, device=device
    )
    assert found.shape == (3, SIZE, SIZE)
    assert cosine(found, filters[channel]) > 0.99
    assert abs(cosine(found, filters[1 - channel])) < 0.2


def test_a_small_filter_is_found_all_over_the_picture(device: clconv.DeviceInfo) -> None:
    """Stripes as wide as the filter's: what it answers above zero grows; the picture has the stripes' direction."""
    filters = np.zeros((1, 1, 3, 3), np.float32)
    filters[0, 0, 0], filters[0, 0, 2] = 1, -1  # a change from above to below
    graph = L.Sequential(
        L.Conv2d(1, 3, padding=1, bias=False, name="conv"), L.Relu(name="relu")
    ).build((1, 16, 16), batch=None)
    graph = graph.replace(constants={"conv.weight": Constant(filters)})
    found = visualize.maximize(graph, "relu", 0, steps=100, smoothing=0.1, device=device)[0]
    down, across = (np.abs(np.diff(found, n=2, axis=axis)).mean() for axis in (0, 1))
    assert down > 5 * across


def test_the_answer_rises_with_the_steps_and_the_seed_decides(device: clconv.DeviceInfo) -> None:
    graph = L.Sequential(
        L.Conv2d(4, 3, padding=1), L.Relu(), L.MaxPool2d(2), L.Conv2d(5, 3, padding=1, name="last")
    ).build((3, 12, 12), batch=None)
    session = clconv.Session(graph, device)

    def answer(picture: np.ndarray) -> float:
        (found,) = session.run({"input": picture[np.newaxis]}).values()
        return float(found[0, 2].mean())

    told: list[tuple[int, int]] = []
    pictures = [
        visualize.maximize(
            graph, "output", 2, steps=steps, seed=seed, device=device,
            progress=lambda done, total: told.append((done, total)),
        )
        for steps, seed in ((1, 0), (40, 0), (40, 0), (40, 1))
    ]  # fmt: skip
    first, last, again, other = pictures
    assert answer(last) > 3 * answer(first) > 0
    np.testing.assert_array_equal(last, again)
    assert not np.array_equal(last, other)
    assert told[:2] == [(1, 1), (1, 40)] and told[-1] == (40, 40)


def test_a_unit_of_a_dense_layer(device: clconv.DeviceInfo) -> None:
    graph = L.Sequential(L.Dense(3, bias=False, name="dense")).build((1, 4, 5), batch=None)
    found = visualize.maximize(graph, "dense", 1, steps=40, jitter=0, smoothing=0, device=device)
    assert cosine(found.reshape(-1), graph.constants["dense.weight"].array[1]) > 0.98


def test_an_open_size_is_chosen(device: clconv.DeviceInfo) -> None:
    graph = L.Sequential(L.Conv2d(2, 3, padding=1, name="conv")).build((3, 8, 8), batch=None)
    spec = graph.specs["input"]
    graph = graph.replace(specs={"input": type(spec)(("n", 3, "height", "width"))})
    found = visualize.maximize(graph, "conv", 0, steps=2, size=(10, 14), device=device)
    assert found.shape == (3, 10, 14)


def test_layers_lists_what_has_channels() -> None:
    graph = L.Sequential(
        L.Conv2d(4, 3, name="a"), L.Sigmoid(), L.MaxPool2d(2, name="b"), L.Dense(2, name="c")
    ).build((1, 8, 8), batch=None)
    assert visualize.layers(graph) == {"a": "Conv", "b": "MaxPool", "c": "Gemm"}


@pytest.mark.parametrize(
    ("layer", "channel", "said"),
    [
        ("nothing", 0, "no layer 'nothing'; there are 'conv', 'relu'"),
        ("conv", 2, "has 2 channels, not 2"),
        ("conv", -1, "has 2 channels, not -1"),
    ],
)
def test_a_layer_or_channel_that_there_is_not(layer: str, channel: int, said: str) -> None:
    graph = one_layer(np.ones((2, 1, SIZE, SIZE), np.float32))
    with pytest.raises(InputError, match=said):
        visualize.maximize(graph, layer, channel)


def test_a_network_that_takes_no_picture() -> None:
    graph = L.Sequential(L.Dense(2, name="dense")).build((5,), batch=None)
    with pytest.raises(InputError, match="only a picture"):
        visualize.maximize(graph, "dense", 0)


def test_as_picture_puts_the_mean_at_grey_and_three_deviations_at_the_ends() -> None:
    found = np.zeros((3, 4, 5), np.float32)
    assert (visualize.as_picture(found) == 128).all()
    found = np.random.default_rng(0).normal(7, 2, (3, 40, 50)).astype(np.float32)
    found[0, 0, 0], found[0, 0, 1] = 100, -100
    picture = visualize.as_picture(found)
    assert picture.shape == (40, 50, 3) and picture.dtype == np.uint8
    assert (picture[0, 0, 0], picture[0, 1, 0]) == (255, 0)
    assert abs(float(picture.mean()) - 127.5) < 2


def test_grid_puts_rows_below_each_other() -> None:
    tiles = [np.full((2, 3, 1), value, np.uint8) for value in (10, 20, 30)]
    whole = visualize.grid(tiles, columns=2, border=1)
    assert whole.shape == (7, 9, 1)
    assert whole[1, 1, 0] == 10 and whole[2, 7, 0] == 20 and whole[4, 1, 0] == 30
    assert (whole[0] == 255).all() and (whole[4:6, 5:] == 255).all()

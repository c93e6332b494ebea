"""The first learning machines and the networks behind them: each system in examples/ shows what it must, small."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import acoustic
import adaline
import alexnet
import convnet
import data
import deep_belief
import mlp
import neurons
import numpy as np
import perceptron
import pytest
from PIL import Image

import clconv

EXAMPLES = [acoustic, adaline, alexnet, convnet, deep_belief, mlp, neurons, perceptron]

# perceptron, adaline


def test_the_perceptron_stops_without_errors_at_the_weights_of_a_loop_in_numpy() -> None:
    rng = np.random.default_rng(0)
    cells = (rng.random((24, perceptron.CELLS)) < 0.3).astype(np.float32)
    wanted = np.eye(3, dtype=np.float32)[rng.integers(0, 3, 24)]
    trainer, rounds = perceptron.train(cells, wanted)
    assert rounds[0] > 0 and rounds[-1] == 0
    weights, bias = perceptron.by_hand(cells, wanted, len(rounds))
    np.testing.assert_array_equal(trainer.parameters["weights"], weights)
    np.testing.assert_array_equal(trainer.parameters["bias"], bias)


def test_an_adaline_comes_to_the_weights_of_least_squares() -> None:
    distance, errors = adaline.least_squares()
    assert distance < 1e-5 and errors[-1] < errors[0]


@pytest.mark.parametrize(
    ("units", "vote", "solved"), [(1, "or", False), (2, "or", True), (3, "majority", True)]
)
def test_a_madaline_solves_xor_and_one_adaline_does_not(
    units: int, vote: str, solved: bool
) -> None:
    assert adaline.solve_xor(units, vote, most=40)[2] is solved


# mlp


def test_two_hidden_units_solve_xor() -> None:
    assert mlp.learn_xor()[1] < 0.05


def test_two_hidden_units_find_symmetry_by_mirrored_weights() -> None:
    x, y = mlp.mirrored()
    assert y.sum() == 8
    trainer, _ = mlp.learn_symmetry()
    assert ((trainer.predict(x) > 0.5) == y).all()
    weights = trainer.parameters["dense_1.weight"]
    np.testing.assert_allclose(weights[:, :3], -weights[:, :2:-1], rtol=0.1)
    assert (weights[0] * weights[1] < 0).all(), "each unit is the other's mirror"


# convnet, alexnet


def coloured(count: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Noisy pictures whose class is the channel that is bright in the middle."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, count)
    pictures = rng.normal(0, 0.2, (count, 3, size, size)).astype(np.float32)
    middle = slice(size // 4, -size // 4)
    pictures[np.arange(count), labels, middle, middle] += 1
    return pictures, labels


def test_ten_filters_of_the_convnet_have_760_parameters_and_it_learns() -> None:
    trainer = clconv.Trainer(convnet.convnet(3), optimizer=clconv.optim.SGD(lr=0.02, momentum=0.9))
    assert convnet.counted(trainer.parameters) == {
        "conv2d_1": 760, "conv2d_2": 5020, "dense_1": 1280 * 3 + 3,
    }  # fmt: skip
    history = trainer.fit(*coloured(60, 32), epochs=3, batch_size=20)
    assert history[-1]["loss"] < history[0]["loss"] / 2


def test_alexnet_has_61_million_parameters() -> None:
    graph = alexnet.alexnet()
    assert alexnet.parameters(graph) == {
        "conv1": 34_944, "conv2": 307_456, "conv3": 885_120, "conv4": 663_936, "conv5": 442_624,
        "dense1": 37_752_832, "dense2": 16_781_312, "dense3": 4_097_000,
    }  # fmt: skip
    assert sum(alexnet.parameters(graph).values()) == 60_965_224


def test_the_layers_of_alexnet_are_the_papers() -> None:
    graph = alexnet.alexnet(10, size=227, width=0.05)
    after = ["Relu", "LRN", "MaxPool"]
    assert [node.op for node in graph.nodes] == [
        "Conv", *after, "Conv", *after, "Conv", "Relu", "Conv", "Relu", "Conv", "Relu", "MaxPool",
        "Flatten", "Gemm", "Relu", "Dropout", "Gemm", "Relu", "Dropout", "Gemm",
    ]  # fmt: skip
    convolutions = [node for node in graph.nodes if node.op == "Conv"]
    assert [node.attrs["group"] for node in convolutions] == [1, 2, 1, 2, 2]
    norm = next(node for node in graph.nodes if node.op == "LRN")
    assert norm.attrs["alpha"] / norm.attrs["size"] == pytest.approx(1e-4)
    assert (norm.attrs["size"], norm.attrs["beta"], norm.attrs["bias"]) == (5, 0.75, 2)
    pools = [node for node in graph.nodes if node.op == "MaxPool"]
    assert all(tuple(p.attrs["kernel_shape"]) == (3, 3) for p in pools)
    assert all(tuple(p.attrs["strides"]) == (2, 2) for p in pools)


@pytest.mark.slow
@pytest.mark.parametrize("small", ["narrow", "sibling"])
def test_alexnets_learn(small: str) -> None:
    graph, size = (
        (alexnet.alexnet(3, 67, 1 / 16), 67) if small == "narrow" else (alexnet.sibling(3), 32)
    )
    x, y = coloured(60, size)
    trainer = clconv.Trainer(graph, optimizer=clconv.optim.Adam(lr=2e-3))
    before = trainer.evaluate(x, y)["loss"]
    trainer.fit(x, y, epochs=8, batch_size=20)
    assert trainer.evaluate(x, y)["loss"] < before / 2


# neurons


@pytest.mark.slow
def test_low_middle_and_high_layers_answer_more_to_their_own_pictures(tmp_path: Path) -> None:
    model = convnet.convnet()
    names = neurons.three_levels(model)
    assert names == ("relu_1", "relu_2", "dense_1")
    levels = [neurons.look(model, name, count=2, steps=8) for name in names]
    for neuron in (n for level in levels for n in level):
        assert neuron.picture.shape == (3, 32, 32)
        assert neuron.answer > max(0, neuron.noise) * 1.5
    neurons.save_picture(levels, str(tmp_path / "neurons.png"))
    with Image.open(tmp_path / "neurons.png") as picture:
        assert picture.size == (2 * 168 + 3 * 4, 3 * 168 + 4 * 4)


def test_a_tile_is_the_middle_of_a_picture_enlarged() -> None:
    found = np.zeros((1, 8, 8), np.float32)
    found[0, 3:5, 3:5] = 1
    tile = neurons.tile(neurons.Neuron("layer", 0, found, 0, 1), share=0.25, side=6)
    assert tile.shape == (6, 6, 3) and (tile == tile[0, 0]).all()


def test_the_picture_goes_where_the_option_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "argv", ["example.py"])
    assert data.picture_option("a.png") == Path("a.png")
    monkeypatch.setattr(sys, "argv", ["example.py", "--picture", str(tmp_path / "c.png")])
    assert data.picture_option("a.png") == tmp_path / "c.png"


@pytest.mark.parametrize("example", EXAMPLES)
def test_help_and_mistakes_end_before_the_work(
    example: types.ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for typed, code, said in (
        (["--help"], 0, "--picture FILE"),
        (["--pictures=a.png"], 2, "--pictures=a.png"),
        (["--picture"], 2, "expected one argument"),
        (["--picture", "nowhere/a.png"], 2, "nowhere/a.png is no file in a folder"),
    ):
        monkeypatch.setattr(sys, "argv", ["example.py", *typed])
        with pytest.raises(SystemExit) as end:
            example.main()
        printed = capsys.readouterr()
        assert end.value.code == code and said in printed.out + printed.err

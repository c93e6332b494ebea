"""Networks built by hand: how they print, and their weights given and taken."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import clconv
from clconv import layers
from clconv.api import read_model
from clconv.errors import ConfigError, InputError, ModelError, ShapeError
from clconv.graph.ir import Graph
from clconv.graph.reference import run_reference
from clconv.layers import (
    Add,
    BatchNorm2d,
    Conv2d,
    Dense,
    Flatten,
    Layer,
    MaxPool2d,
    Network,
    PRelu,
    Relu,
    Sequential,
    load_state_dict,
    state_dict,
    summary,
)

BLOCK = Sequential(Conv2d(4, 3, padding=1, bias=False), BatchNorm2d(), PRelu(), name="block")
LAYERS = Sequential(Conv2d(4, 3, padding=1), Relu(), BLOCK, Flatten(), Dense(5, name="head"))
# PyTorch's names for nn.Sequential with these modules, where "block" and "head" are attributes.
TORCH = [
    "0.weight", "0.bias", "block.0.weight", "block.1.weight", "block.1.bias", "block.1.running_mean",
    "block.1.running_var", "block.2.weight", "head.weight", "head.bias",
]  # fmt: skip


def output(graph: Graph) -> np.ndarray:
    x = np.random.default_rng(1).standard_normal((1, 3, 6, 6)).astype(np.float32)
    return run_reference(graph, {"input": x})["output"]


# printing


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (Conv2d(16, 3, padding=1), "Conv2d(16, 3, padding=1)"),
        (Conv2d(16, window=3, stride=1), "Conv2d(16, 3)"),
        (Conv2d(16, (3, 5), 2, "same", bias=False), "Conv2d(16, (3, 5), stride=2, padding='same', bias=False)"),
        (MaxPool2d(2), "MaxPool2d(2)"),
        (Relu(name="r"), "Relu(name='r')"),
        (Sequential(), "Sequential()"),
        (Add(Relu(), Sequential(Conv2d(3, 1))), "Add(Relu(), Sequential(Conv2d(3, 1)))"),
    ],
)  # fmt: skip
def test_a_layer_prints_as_it_is_written(layer: Layer, text: str) -> None:
    assert repr(layer) == text
    assert repr(eval(text, vars(layers))) == text


def test_a_long_network_prints_line_by_line() -> None:
    text = repr(LAYERS)
    assert text.splitlines()[:3] == ["Sequential(", "    Conv2d(4, 3, padding=1),", "    Relu(),"]
    assert max(map(len, text.splitlines())) <= 80
    assert repr(eval(text, vars(layers))) == text


def test_layers_of_ones_own_print_too() -> None:
    class Twice(Layer):
        def __init__(self, inner: Layer, *, times: int = 2, **more: int) -> None:
            self.inner = inner

    assert repr(Twice(Relu(), times=3, other=1)) == "Twice(Relu(), times=3, other=1)"


def test_a_summary_is_a_table() -> None:
    lines = str(summary(LAYERS.build((3, 6, 6)))).splitlines()
    assert lines[0].split() == [
        "layer",
        "operator",
        "output",
        "shape",
        "parameters",
        "multiply-adds",
    ]
    assert lines[2].split() == ["conv2d_1", "Conv", "1x4x6x6", "112", "3,888"]
    assert lines[-1].split() == ["total", "993", "9,792"]
    assert sum(a.size for a in LAYERS.build((3, 6, 6)).parameters.values()) == 993
    opened = str(summary(LAYERS.build((3, 6, 6), batch=None))).splitlines()
    assert opened[: len(lines)] == lines and opened[-1] == "for a batch of 1, which is open"


def test_a_network_under_construction_prints() -> None:
    network = Network((3, 6, 6), name="net")
    assert str(network) == repr(network) == "<Network 'net': float32[1x3x6x6], 0 nodes>"
    assert network.parameters == {}
    network(Conv2d(2, 3), network.input)
    assert {n: a.shape for n, a in network.parameters.items()} == {
        "conv2d_1.weight": (2, 3, 3, 3),
        "conv2d_1.bias": (2,),
    }
    assert "total" in str(network)


# weights


def test_names_are_those_of_a_state_dict() -> None:
    graph = LAYERS.build((3, 6, 6))
    assert list(state_dict(graph)) == TORCH
    assert state_dict(graph)["block.2.weight"].shape == (4,)
    assert set(graph.parameters) == {
        "conv2d_1.weight", "conv2d_1.bias", "conv2d_2.weight", "batchnorm2d_1.weight", "batchnorm2d_1.bias",
        "prelu_1.weight", "head.weight", "head.bias",
    }  # fmt: skip
    assert list(state_dict(Dense(3).build((4,)))) == ["weight", "bias"]


def test_weights_given_are_the_weights_taken() -> None:
    drawn = LAYERS.build((3, 6, 6), seed=1)
    weights = state_dict(drawn)
    given = LAYERS.build((3, 6, 6), seed=2, weights=weights)
    assert output(given).tobytes() == output(drawn).tobytes()
    loaded = load_state_dict(LAYERS.build((3, 6, 6), seed=3), weights)
    assert output(loaded).tobytes() == output(drawn).tobytes()
    assert output(LAYERS.build((3, 6, 6), seed=3)).tobytes() != output(drawn).tobytes()
    # By the graph's own names, what PyTorch counts beside them, and one slope for all channels.
    own = {n: c.array for n, c in drawn.constants.items()}
    own["block.1.num_batches_tracked"] = np.array(7)
    own["prelu_1.weight"] = np.array([0.5])
    slopes = load_state_dict(drawn, own).constants["prelu_1.weight"].array
    assert slopes.tolist() == [[[0.5]]] * 4 and slopes.dtype == np.float32


def test_weights_that_do_not_fit_are_named() -> None:
    weights = state_dict(LAYERS.build((3, 6, 6)))
    wrong = {**weights, "extra": np.zeros(3)}
    del wrong["head.bias"]
    said = r"\[head.bias\] missing, \[extra\] unknown.*strict=False"
    with pytest.raises(InputError, match=said):
        LAYERS.build((3, 6, 6), weights=wrong)
    with pytest.raises(InputError, match=said):
        load_state_dict(LAYERS.build((3, 6, 6)), wrong)
    shape = r"'head.bias' has the shape \(4,\), the layer takes \(5,\)"
    with pytest.raises(ShapeError, match=shape):
        LAYERS.build((3, 6, 6), weights={**weights, "head.bias": np.zeros(4)})
    with pytest.raises(InputError, match=r"'head.bias' holds <U1, not numbers"):
        LAYERS.build((3, 6, 6), weights={**weights, "head.bias": np.array("a")})
    with pytest.raises(InputError, match=r"arrays by name or the path.*, not list"):
        LAYERS.build((3, 6, 6), weights=[1])  # type: ignore[arg-type]


def test_some_weights_may_be_given() -> None:
    graph = LAYERS.build((3, 6, 6))
    found = load_state_dict(graph, {"head.bias": np.arange(5), "other": [1]}, strict=False)
    assert found.parameters["head.bias"].tolist() == [0, 1, 2, 3, 4]
    assert found.parameters["head.bias"].dtype == np.float32
    assert np.array_equal(found.parameters["head.weight"], graph.parameters["head.weight"])
    with pytest.raises(InputError, match=r"none of \[other\] is of 'network'"):
        load_state_dict(graph, {"other": [1]}, strict=False)


class Tensor:
    """As PyTorch's: no array before it is detached and brought to the host."""

    def __init__(self, array: np.ndarray, ready: int = 0) -> None:
        self.array, self.ready = array, ready

    def detach(self) -> Tensor:
        return Tensor(self.array, self.ready | 1)

    def cpu(self) -> Tensor:
        return Tensor(self.array, self.ready | 2)

    def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
        assert self.ready == 3
        return self.array


def test_tensors_are_taken() -> None:
    weights = state_dict(LAYERS.build((3, 6, 6), seed=1))
    given = {n: Tensor(a) for n, a in weights.items()}
    found = state_dict(LAYERS.build((3, 6, 6), weights=given))
    assert {n: a.tobytes() for n, a in found.items()} == {
        n: a.tobytes() for n, a in weights.items()
    }


def test_two_networks_of_one_name_keep_their_weights_apart() -> None:
    network = Network((3, 6, 6))
    x = network(Sequential(Conv2d(3, 1), name="part"), network.input)
    network(Sequential(Conv2d(3, 1), name="part"), x)
    assert list(state_dict(network.graph())) == [
        "part.0.weight", "part.0.bias", "conv2d_2.weight", "conv2d_2.bias",
    ]  # fmt: skip


# files


def test_a_network_is_saved_and_loaded(tmp_path: Path) -> None:
    graph = LAYERS.build((3, 6, 6), seed=5)
    clconv.save(graph, tmp_path / "x.onnx")
    assert np.allclose(output(read_model(tmp_path / "x.onnx")), output(graph), atol=1e-6)
    network = Network((3, 6, 6))
    network(Conv2d(2, 3), network.input)
    clconv.save(network, tmp_path / "network.onnx")
    assert list(read_model(tmp_path / "network.onnx").outputs) == ["conv2d_1"]
    with pytest.raises(ConfigError, match=r"x.pt: end the name with .onnx .* or with .safetensors"):
        clconv.save(graph, tmp_path / "x.pt")
    with pytest.raises(ModelError, match="no_folder"):
        clconv.save(graph, tmp_path / "no_folder" / "x.onnx")


def test_weights_alone_are_saved_and_given(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    graph = LAYERS.build((3, 6, 6), seed=5)
    clconv.save(graph, tmp_path / "x.safetensors")
    for found in (
        LAYERS.build((3, 6, 6), weights=tmp_path / "x.safetensors"),
        load_state_dict(LAYERS.build((3, 6, 6)), str(tmp_path / "x.safetensors")),
    ):
        assert output(found).tobytes() == output(graph).tobytes()
    (tmp_path / "bad.safetensors").write_bytes(b"nothing")
    with pytest.raises(ModelError, match=r"bad.safetensors: is no readable safetensors file"):
        LAYERS.build((3, 6, 6), weights=tmp_path / "bad.safetensors")

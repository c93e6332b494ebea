"""The trainer as users see it."""

from __future__ import annotations

import gc
import itertools
import weakref
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

import clconv
from clconv import losses, optim
from clconv.errors import InputError, ModelError, TrainingError, UnsupportedError
from clconv.runtime.transfers import counted
from tests.training.networks import clusters, convolutional, deep, perceptron, pictures


def trainer(device: clconv.DeviceInfo, **options: object) -> clconv.Trainer:
    options.setdefault("optimizer", optim.SGD(lr=0.1, momentum=0.9))
    return clconv.Trainer(perceptron(), device=device, **options)  # type: ignore[arg-type]


def test_it_learns_and_says_how_well(device: clconv.DeviceInfo) -> None:
    t, (x, y), (xv, yv) = trainer(device), clusters(300), clusters(90, seed=1)
    before = t.evaluate(xv, yv)
    told: list[tuple[int, int, int]] = []
    history = t.fit(
        x, y, epochs=4, batch_size=32, validation_data=(xv, yv),
        progress=lambda epoch, step, steps, figures: told.append((epoch, step, steps)),
    )  # fmt: skip
    assert [set(h) for h in history] == [
        {"loss", "accuracy", "images_per_second", "val_loss", "val_accuracy"}
    ] * 4
    assert history[-1]["val_accuracy"] > 0.9 > before["accuracy"]
    assert history[-1]["loss"] < history[0]["loss"]
    assert told[0] == (1, 1, 10) and told[-1] == (4, 10, 10)
    found = t.evaluate(xv, yv)
    assert found["accuracy"] == (t.predict(xv).argmax(1) == yv).mean()


@pytest.mark.slow
def test_convolutions_with_batch_norms_learn(device: clconv.DeviceInfo) -> None:
    x, y = pictures(128)
    t = clconv.Trainer(convolutional(), optimizer=optim.Adam(lr=0.01), device=device)
    history = t.fit(x, y, epochs=8, batch_size=16)
    assert history[-1]["accuracy"] > 0.95
    assert t.evaluate(x, y)["accuracy"] > 0.95  # with running statistics


def test_gradients_change_nothing_and_are_the_steps(device: clconv.DeviceInfo) -> None:
    t, (x, y) = trainer(device, optimizer=optim.SGD(lr=0.5)), clusters(20)
    before, gradients = t.parameters, t.gradients(x, y)
    assert set(gradients) == set(before)
    for name, value in t.parameters.items():
        np.testing.assert_array_equal(value, before[name])
    t.step(x, y)
    for name, value in t.parameters.items():
        np.testing.assert_allclose(
            value, before[name] - 0.5 * gradients[name], rtol=1e-5, atol=1e-6
        )


def test_two_runs_are_equal_to_the_bit(device: clconv.DeviceInfo) -> None:
    x, y = clusters(50)
    first, second = trainer(device), trainer(device)
    for t in (first, second):
        t.fit(x, y, epochs=2, batch_size=16)
    for name, value in first.parameters.items():
        assert value.tobytes() == second.parameters[name].tobytes()


def test_saved_and_loaded_it_goes_on_to_the_same_bits(
    device: clconv.DeviceInfo, tmp_path: Path
) -> None:
    x, y = clusters(50)
    whole = trainer(device, optimizer=optim.Adam(lr=0.01))
    whole.fit(x, y, epochs=2, batch_size=16)
    whole.save(tmp_path / "half.safetensors")
    whole.fit(x, y, epochs=2, batch_size=16)
    rest = trainer(device, optimizer=optim.Adam(lr=0.01), seed=5)
    rest.load(tmp_path / "half.safetensors")
    rest.fit(x, y, epochs=2, batch_size=16)
    assert rest.steps == whole.steps
    for name, value in whole.parameters.items():
        assert value.tobytes() == rest.parameters[name].tobytes()


def test_of_another_network_or_no_checkpoint(device: clconv.DeviceInfo, tmp_path: Path) -> None:
    trainer(device).save(tmp_path / "a.safetensors")
    other = clconv.Trainer(perceptron(units=9), device=device)
    with pytest.raises(ModelError, match="another network"):
        other.load(tmp_path / "a.safetensors")
    (tmp_path / "b").write_bytes(b"nothing of the kind")
    with pytest.raises(ModelError, match="no readable safetensors"):
        other.load(tmp_path / "b")
    with pytest.raises(ModelError):
        other.load(tmp_path / "absent")


@pytest.mark.slow
def test_what_is_exported_is_what_predict_gives(device: clconv.DeviceInfo, tmp_path: Path) -> None:
    x, y = pictures(64)
    t = clconv.Trainer(convolutional(), device=device, optimizer=optim.SGD(lr=0.05))
    t.fit(x, y, batch_size=16)
    t.export(tmp_path / "tuned.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "tuned.onnx")
    wanted = session.run(None, {session.get_inputs()[0].name: x})[0]
    np.testing.assert_allclose(t.predict(x), wanted, rtol=1e-4, atol=1e-5)
    names = {i.name for i in session.get_overridable_initializers()} | set(t.parameters)
    assert set(t.parameters) <= names
    again = clconv.Trainer(tmp_path / "tuned.onnx", device=device)
    assert set(again.parameters) == set(t.parameters)


def test_frozen_parameters_stay(device: clconv.DeviceInfo) -> None:
    t, (x, y) = trainer(device, freeze=["dense_1.*"]), clusters(20)
    before = t.parameters
    t.step(x, y)
    assert set(t.gradients(x, y)) == {"dense_2.weight", "dense_2.bias"}
    for name, value in t.parameters.items():
        assert (value.tobytes() == before[name].tobytes()) == name.startswith("dense_1.")
    with pytest.raises(InputError, match=r"no parameter is named 'conv\*'"):
        trainer(device, freeze=["conv*"])
    with pytest.raises(InputError, match="all 4 parameters are frozen"):
        trainer(device, freeze="*")


def test_parts_of_a_batch_make_one_update(device: clconv.DeviceInfo) -> None:
    x, y = clusters(24)
    whole, parts = trainer(device), trainer(device, accumulate=3)
    for _ in range(3):
        assert whole.step(x, y) == pytest.approx(parts.step(x, y), rel=1e-5)
    for name, value in whole.parameters.items():
        np.testing.assert_allclose(parts.parameters[name], value, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("size", [1, 5, 9])
def test_parts_of_any_batch_make_one_update(device: clconv.DeviceInfo, size: int) -> None:
    """9 in 4 parts are three of 3, 5 are 2, 2 and 1, of which the last counts for less."""
    (x, y), whole, parts = clusters(size), trainer(device), trainer(device, accumulate=4)
    for _ in range(2):
        assert whole.step(x, y) == pytest.approx(parts.step(x, y), rel=1e-5)
    for name, value in whole.parameters.items():
        np.testing.assert_allclose(parts.parameters[name], value, rtol=1e-4, atol=1e-6)


def test_gradients_are_clipped_by_their_norm(device: clconv.DeviceInfo) -> None:
    x, y = clusters(24)
    t = trainer(device, optimizer=optim.SGD(lr=1.0), clip_norm=0.01)
    gradients, before = t.gradients(x, y), t.parameters
    norm = np.sqrt(sum(float((g**2).sum()) for g in gradients.values()))
    assert norm > 0.01
    t.step(x, y)
    for name, value in t.parameters.items():
        wanted = before[name] - gradients[name] * (0.01 / norm)
        np.testing.assert_allclose(value, wanted, rtol=1e-4, atol=1e-6)


def test_a_loss_that_is_no_number_is_an_error(device: clconv.DeviceInfo) -> None:
    t, (x, y) = trainer(device, optimizer=optim.SGD(lr=1e30)), clusters(8)
    with pytest.raises(TrainingError, match="learning rate"):
        for _ in range(5):
            t.step(x, y)
    x[3, 2] = np.nan
    with pytest.raises(TrainingError, match="'input' holds NaN"):
        trainer(device).step(x, y)


def test_options_are_checked(device: clconv.DeviceInfo) -> None:
    for options, match in (
        ({"loss": "hinge"}, "no loss 'hinge'"),
        ({"output": "nothing"}, "no output 'nothing'"),
        ({"batch_norm": "folded"}, "batch_norm is one of"),
        ({"accumulate": 0}, "at least one part"),
        ({"clip_norm": -1}, "clip_norm -1"),
        ({"seed": -1}, "seed -1"),
    ):
        with pytest.raises(InputError, match=match):
            trainer(device, **options)  # type: ignore[arg-type]


def test_models_that_cannot_learn(device: clconv.DeviceInfo) -> None:
    from clconv.graph.ir import Graph, TensorSpec
    from clconv.graph.ops import make_node

    spec = {"x": TensorSpec(("n", 3))}
    bare = Graph("bare", (make_node("Relu", ["x"], ["y"]),), ("x",), ("y",), spec)
    with pytest.raises(InputError, match="no parameters"):
        clconv.Trainer(bare, device=device)
    assert issubclass(UnsupportedError, ModelError)


def test_a_scalar_output_may_be_the_loss(device: clconv.DeviceInfo) -> None:
    from clconv.graph.ir import Constant, Graph, TensorSpec
    from clconv.graph.ops import make_node

    nodes = (
        make_node("MatMul", ["x", "w"], ["h"]),
        make_node("Mul", ["h", "h"], ["s"]),
        make_node("ReduceMean", ["s"], ["energy"], keepdims=0),
    )
    w = np.ones((3, 2), np.float32)
    graph = Graph(
        "g", nodes, ("x",), ("h", "energy"), {"x": TensorSpec(("n", 3))}, {"w": Constant(w)}
    )
    t = clconv.Trainer(graph, loss="energy", optimizer=optim.SGD(lr=0.05), device=device)
    x = np.random.default_rng(0).standard_normal((16, 3)).astype(np.float32)
    found = [t.step(x) for _ in range(5)]
    assert all(b < a for a, b in itertools.pairwise(found))


def test_losses_by_name_and_by_class() -> None:
    assert losses.CrossEntropy(label_smoothing=0.1) == losses.CrossEntropy(label_smoothing=0.1)
    with pytest.raises(clconv.errors.ConfigError):
        losses.CrossEntropy(label_smoothing=1.5)


@pytest.mark.slow
def test_a_budget_of_memory_is_kept_by_computing_anew(device: clconv.DeviceInfo) -> None:
    x, y = pictures(32)
    plain = clconv.Trainer(deep(), device=device, recompute=1 << 40)
    # By the device: what its kernels leave for the way back differs.
    needed = plain.prepare(x, y).plan.memory.total
    frugal = clconv.Trainer(deep(), device=device, recompute=needed * 3 // 4)
    for _ in range(3):
        assert frugal.step(x, y) == pytest.approx(plain.step(x, y), rel=1e-5)
    assert plain.segments == {32: 1} and frugal.segments[32] > 1
    for name, value in plain.parameters.items():
        np.testing.assert_allclose(frugal.parameters[name], value, rtol=1e-4, atol=1e-6)
    with pytest.raises(clconv.errors.DeviceMemoryError, match="smaller batch"):
        clconv.Trainer(deep(), device=device, recompute=1000).step(x, y)


def test_large_weights_stay_on_the_device_alone(device: clconv.DeviceInfo) -> None:
    network = clconv.layers.Sequential(clconv.layers.Flatten(), clconv.layers.Dense(3))
    graph = network.build((1, 300, 300), 2)
    (name,) = (n for n, c in graph.constants.items() if c.spec.nbytes >= 1 << 20)
    given = weakref.ref(graph.constants[name].array)
    before = graph.constants[name].array.copy()
    t = clconv.Trainer(graph, optimizer=optim.SGD(lr=0.01, momentum=0.9), device=device)
    del graph, network
    gc.collect()
    assert given() is None
    x = np.random.default_rng(1).standard_normal((2, 1, 300, 300)).astype(np.float32)
    plan = t.prepare(x, np.array([0, 1])).plan
    assert len(plan.launches) == 1 or "pocl" not in device.platform.lower()
    np.testing.assert_array_equal(t.parameters[name], before)  # also where a launch was rehearsed
    with counted() as copies:
        t.step(x, np.array([0, 1]))
    assert copies.to_device <= x.nbytes + 100 and copies.to_host + copies.on_device < 100
    after = t.parameters[name]
    assert not np.array_equal(after, before)
    np.testing.assert_array_equal(t.graph().constants[name].array, after)

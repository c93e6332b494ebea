"""What BatchNormalization and Dropout do while a network learns, and of files that were written for either."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import clconv
from clconv import layers as L
from clconv import optim
from clconv.graph.evaluate import evaluate_node
from clconv.graph.ir import Graph
from clconv.training.forms import inference_form
from tests.training.networks import clusters, pictures

FORMS = ["inference", "training", "training, opset 13"]


def exported(form: str, ratio: float = 0.25) -> bytes:
    """Conv, BatchNormalization, Relu, Dropout, Flatten, Gemm as torch.onnx.export writes them, for inference (batch
    norms kept) or for training: further outputs, a training_mode, a Dropout that is told to drop."""
    rng = np.random.default_rng(1)
    weights = {
        "0.weight": rng.standard_normal((6, 3, 3, 3)) * 0.2,
        "1.weight": rng.uniform(0.5, 1.5, 6),
        "1.bias": rng.standard_normal(6) * 0.1,
        "1.running_mean": rng.standard_normal(6) * 0.1,
        "1.running_var": rng.uniform(0.5, 1.5, 6),
        "5.weight": rng.standard_normal((4, 384)) * 0.05,
        "5.bias": np.zeros(4),
    }
    trains, old = form != "inference", form.endswith("13")
    normal, attrs = ["normal"], {"momentum": 0.9}
    if trains:
        normal += ["new_mean", "new_var"] + (["saved_mean", "saved_var"] if old else [])
        attrs |= {} if old else {"training_mode": 1}
    batch_norm = ["h", "1.weight", "1.bias", "1.running_mean", "1.running_var"]
    nodes = [
        helper.make_node("Conv", ["x", "0.weight"], ["h"], "conv", pads=[1, 1, 1, 1]),
        helper.make_node("BatchNormalization", batch_norm, normal, "norm", **attrs),
        helper.make_node("Relu", ["normal"], ["r"], "relu"),
    ]
    if trains:
        constants = {"ratio": np.float32(ratio), "yes": np.array(True)}
        nodes += [
            helper.make_node("Constant", [], [n], n, value=numpy_helper.from_array(np.array(a)))
            for n, a in constants.items()
        ]
        nodes.append(helper.make_node("Dropout", ["r", "ratio", "yes"], ["d", "mask"], "drop"))
    nodes += [
        helper.make_node("Flatten", ["d" if trains else "r"], ["f"], "flatten"),
        helper.make_node("Gemm", ["f", "5.weight", "5.bias"], ["y"], "gemm", transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        form,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4])],
        [numpy_helper.from_array(a.astype(np.float32), n) for n, a in weights.items()],
    )
    opset = helper.make_opsetid("", 13 if old else 17)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def dropping(ratio: float = 0.5) -> Graph:
    network = L.Sequential(L.Dense(64), L.Relu(), L.Dropout(ratio), L.Dense(3))
    return network.build((5,), batch=None)


@pytest.mark.parametrize("form", FORMS)
def test_files_for_training_and_for_inference_learn(
    form: str, device: clconv.DeviceInfo, tmp_path: Path
) -> None:
    t = clconv.Trainer(exported(form), optimizer=optim.SGD(lr=0.05, momentum=0.9), device=device)
    assert set(t.parameters) == {"0.weight", "1.weight", "1.bias", "5.weight", "5.bias"}
    x, y = pictures(64)
    losses = [t.step(x, y) for _ in range(12)]
    assert losses[-1] < 0.5 * losses[0]
    t.export(tmp_path / "tuned.onnx")
    wanted = onnxruntime.InferenceSession(tmp_path / "tuned.onnx").run(None, {"x": x})[0]
    np.testing.assert_allclose(t.predict(x), wanted, rtol=1e-4, atol=1e-5)
    nodes = onnx.load(tmp_path / "tuned.onnx").graph.node
    assert all(len(node.output) == 1 for node in nodes if node.op_type == "BatchNormalization")


def test_all_forms_are_used_alike(device: clconv.DeviceInfo) -> None:
    x, _ = pictures(6)
    first, *others = (clconv.Trainer(exported(f), device=device).predict(x) for f in FORMS)
    for other in others:
        np.testing.assert_array_equal(other, first)
    np.testing.assert_allclose(first, clconv.load(exported(FORMS[0])).run({"x": x})["y"], atol=1e-5)


def test_running_statistics_that_are_read_stay_as_they_are() -> None:
    """An output of a training batch norm that is the network's own is the running statistic at inference."""
    from clconv.frontend.onnx import import_onnx

    graph = import_onnx(exported("training"))
    found = inference_form(graph.replace(outputs=(*graph.outputs, "new_var")))
    (node,) = (n for n in found.nodes if "new_var" in n.outputs)
    assert (node.op, node.inputs) == ("Identity", ("1.running_var",))


def test_running_statistics_follow_as_in_pytorch(device: clconv.DeviceInfo) -> None:
    """momentum 0.1 there is 0.9 here; the running variance takes n / (n - 1) times the batch's."""
    t = clconv.Trainer(exported("training"), optimizer=optim.SGD(lr=0.0), device=device)
    x, y = pictures(5)
    graph = t.graph()
    conv = next(n for n in graph.nodes if n.op == "Conv")
    h = evaluate_node(conv, [x, graph.constants["0.weight"].array])[0].astype(np.float64)
    t.step(x, y)
    after = t.graph().constants
    for name, new in (
        ("1.running_mean", h.mean((0, 2, 3))),
        ("1.running_var", h.var((0, 2, 3), ddof=1)),
    ):
        wanted = 0.9 * graph.constants[name].array + 0.1 * new
        np.testing.assert_allclose(after[name].array, wanted, rtol=1e-5, atol=1e-7)


def test_frozen_batch_norms_keep_their_statistics(device: clconv.DeviceInfo) -> None:
    sgd = optim.SGD(lr=0.05)
    t = clconv.Trainer(exported("training"), optimizer=sgd, batch_norm="frozen", device=device)
    x, y = pictures(32)
    before, weights = t.graph().constants, t.parameters
    t.step(x, y)
    after = t.graph().constants
    for name in ("1.running_mean", "1.running_var"):
        assert after[name].array.tobytes() == before[name].array.tobytes()
    assert not np.array_equal(t.parameters["1.weight"], weights["1.weight"])


def test_a_batch_norm_that_is_used_twice_follows_both(device: clconv.DeviceInfo) -> None:
    from clconv.graph.ir import Constant, TensorSpec
    from clconv.graph.ops import make_node

    constants = {
        "w": Constant(np.ones(2, np.float32)),
        "b": Constant(np.zeros(2, np.float32)),
        "m": Constant(np.zeros(2, np.float32)),
        "v": Constant(np.ones(2, np.float32)),
    }
    nodes = (
        make_node("BatchNormalization", ("x", "w", "b", "m", "v"), ("h",)),
        make_node("Add", ("h", "x"), ("s",)),
        make_node("BatchNormalization", ("s", "w", "b", "m", "v"), ("y",)),
    )
    graph = Graph("twice", nodes, ("x",), ("y",), {"x": TensorSpec(("n", 2))}, constants)
    t = clconv.Trainer(graph, loss="mse", optimizer=optim.SGD(lr=0.0), device=device)
    x = np.random.default_rng(0).standard_normal((8, 2)).astype(np.float32)
    t.step(x, x)
    wide = x.astype(np.float64)
    normal = (wide - wide.mean(0)) / np.sqrt(wide.var(0) + 1e-5)
    wanted = np.ones(2)
    for value in (wide, normal + wide):
        wanted = 0.9 * wanted + 0.1 * value.var(0, ddof=1)
    np.testing.assert_allclose(t.graph().constants["v"].array, wanted, rtol=1e-5)


def test_each_step_drops_others_and_evaluation_drops_nothing(device: clconv.DeviceInfo) -> None:
    t, (x, y) = clconv.Trainer(dropping(), optimizer=optim.SGD(lr=0.0), device=device), clusters(40)
    losses = [t.step(x, y) for _ in range(4)]
    assert len(set(losses)) == 4
    assert len({t.evaluate(x, y)["loss"] for _ in range(2)}) == 1
    plain = clconv.Trainer(dropping(0.0), optimizer=optim.SGD(lr=0.0), device=device)
    assert t.evaluate(x, y)["loss"] == pytest.approx(plain.step(x, y), rel=1e-5)
    np.testing.assert_array_equal(t.predict(x), plain.predict(x))


def test_what_is_dropped_follows_from_the_seed(device: clconv.DeviceInfo) -> None:
    x, y = clusters(40)

    def losses(seed: int) -> list[float]:
        t = clconv.Trainer(dropping(), seed=seed, device=device)
        return [t.step(x, y) for _ in range(3)]

    assert losses(1) == losses(1)
    assert losses(1)[0] != losses(2)[0]


def test_gradients_drop_what_the_next_step_does(device: clconv.DeviceInfo) -> None:
    t, (x, y) = clconv.Trainer(dropping(), optimizer=optim.SGD(lr=0.5), device=device), clusters(40)
    for _ in range(2):
        before, gradients = t.parameters, t.gradients(x, y)
        t.step(x, y)
        for name, value in t.parameters.items():
            wanted = before[name] - 0.5 * gradients[name]
            np.testing.assert_allclose(value, wanted, rtol=1e-5, atol=1e-6)


def test_parts_of_a_batch_drop_others(device: clconv.DeviceInfo) -> None:
    """Two equal halves of a batch: the gradients differ, so their mean is not that of one half."""
    x, y = clusters(20)
    sgd = optim.SGD(lr=1.0)
    half = clconv.Trainer(dropping(), optimizer=sgd, accumulate=2, device=device)
    before, gradients = half.parameters, half.gradients(x, y)
    half.step(np.concatenate([x, x]), np.concatenate([y, y]))
    name = "dense_2.weight"
    moved = before[name] - half.parameters[name]
    assert np.abs(moved - gradients[name]).max() > 1e-3 * np.abs(gradients[name]).max()


def test_saved_and_loaded_it_drops_the_same(device: clconv.DeviceInfo, tmp_path: Path) -> None:
    x, y = pictures(32)

    def made(seed: int) -> clconv.Trainer:
        sgd = optim.SGD(lr=0.05, momentum=0.9)
        return clconv.Trainer(exported("training"), optimizer=sgd, seed=seed, device=device)

    whole, rest = made(3), made(8)
    whole.fit(x, y, epochs=1, batch_size=8)
    whole.save(tmp_path / "half.safetensors")
    whole.fit(x, y, epochs=1, batch_size=8)
    rest.load(tmp_path / "half.safetensors")
    rest.fit(x, y, epochs=1, batch_size=8)
    for name, constant in whole.graph().constants.items():
        assert rest.graph().constants[name].array.tobytes() == constant.array.tobytes()

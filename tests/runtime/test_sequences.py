"""Sequences, short loops, random numbers and optional values, from files, on a device."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import clconv
from clconv.device.info import DeviceInfo
from clconv.errors import UnsupportedError

F, I64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
node = helper.make_node


def value(name: str, kind: int = F, shape: list[int | str] | None = None):  # type: ignore[no-untyped-def]
    return helper.make_tensor_value_info(name, kind, shape)


def model(nodes, outputs, constants=None, shape=("n", 6), opset=17) -> bytes:  # type: ignore[no-untyped-def]
    tensors = [numpy_helper.from_array(np.asarray(a), n) for n, a in (constants or {}).items()]
    graph = helper.make_graph(nodes, "g", [value("x", F, list(shape))], outputs, tensors)
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


def agree(data: bytes, device: DeviceInfo, *sizes: int) -> clconv.Session:
    session = clconv.load(data, device=device)
    peer = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    for size in sizes:
        x = np.random.default_rng(size).normal(0, 1, (size, 6)).astype(np.float32)
        names = [o.name for o in peer.get_outputs()]
        found = session.run({"x": x})
        for name, wanted in zip(names, peer.run(names, {"x": x}), strict=True):
            assert found[name].dtype == wanted.dtype
            np.testing.assert_allclose(found[name], wanted, 1e-5, 1e-6)
    return session


def test_sequence_operators(device: DeviceInfo) -> None:
    nodes = [
        node("Neg", ["x"], ["minus"]),
        node("SequenceConstruct", ["x", "minus"], ["s0"]),
        node("Exp", ["x"], ["e"]),
        node("SequenceInsert", ["s0", "e", "minus_one"], ["s1"]),
        node("SequenceInsert", ["s1", "minus"], ["s2"]),
        node("SequenceErase", ["s2", "zero"], ["s3"]),
        node("SequenceAt", ["s3", "zero"], ["first"]),
        node("SequenceLength", ["s3"], ["length"]),
        node("ConcatFromSequence", ["s3"], ["joined"], axis=1),
        node("ConcatFromSequence", ["s3"], ["stacked"], axis=1, new_axis=1),
        node("SplitToSequence", ["x", "four"], ["pieces"], axis=1),
        node("SequenceAt", ["pieces", "minus_one"], ["last"]),
        node("SplitToSequence", ["x"], ["columns"], axis=1, keepdims=0),
        node("SequenceAt", ["columns", "zero"], ["column"]),
    ]
    outputs = [value(n) for n in ("first", "joined", "stacked", "last", "column")]
    constants = {"zero": np.int64(0), "minus_one": np.int64(-1), "four": np.int64(4)}
    agree(model(nodes, [*outputs, value("length", I64)], constants), device, 2, 5)


def test_a_position_that_is_computed(device: DeviceInfo) -> None:
    nodes = [
        node("SplitToSequence", ["x"], ["columns"], axis=1),
        node("ReduceMax", ["x"], ["top"], keepdims=0),
        node("Greater", ["top", "limit"], ["large"]),
        node("Cast", ["large"], ["place"], to=I64),
        node("SequenceAt", ["columns", "place"], ["y"]),
        node("Relu", ["y"], ["z"]),
    ]
    agree(model(nodes, [value("z")], {"limit": np.float32(2.2)}), device, 2, 3, 4, 50)


def loop(body_nodes, body_outputs, outputs, carried, trip="trip", condition="", constants=None):  # type: ignore[no-untyped-def]
    body = helper.make_graph(
        body_nodes,
        "body",
        [value("i", I64, []), value("c", BOOL, []), *(value(f"{n}_in") for n in carried)],
        [value("c_out", BOOL, []), *body_outputs],
    )
    return node("Loop", [trip, condition, *carried], outputs, "the_loop", body=body)


def test_a_loop_of_known_length_is_written_out(device: DeviceInfo) -> None:
    body = [
        node("Identity", ["c"], ["c_out"]),
        node("Cast", ["i"], ["step"], to=F),
        node("Mul", ["v_in", "factor"], ["scaled"]),
        node("Add", ["scaled", "step"], ["v_out"]),
        node("ReduceSum", ["v_out"], ["total"], keepdims=0),
    ]
    whole = loop(body, [value("v_out"), value("total", F, [])], ["y", "sums"], ["v"])
    nodes = [node("Relu", ["x"], ["v"]), whole]
    for trips in (5, 0):
        constants = {"trip": np.int64(trips), "factor": np.float32(0.5)}
        session = agree(
            model(nodes, [value("y"), value("sums", F, ["t"])], constants), device, 1, 3
        )
        assert session.prepare({"x": (3, 6)}).plan.cut is None


def test_a_loop_that_counts_by_itself_is_written_out(device: DeviceInfo) -> None:
    """TensorFlow's while: no trip count, a counter among the carried values, the condition from it."""
    body = helper.make_graph(
        [
            node("Add", ["k_in", "one"], ["k_out"]),
            node("Less", ["k_out", "end"], ["c_out"]),
            node("Cast", ["k_in"], ["step"], to=F),
            node("Add", ["v_in", "step"], ["v_out"]),
        ],
        "body",
        [value("i", I64, []), value("c", BOOL, []), value("k_in", I64, []), value("v_in")],
        [value("c_out", BOOL, []), value("k_out", I64, []), value("v_out")],
    )
    nodes = [
        node("Less", ["zero", "end"], ["begin"]),
        node("Loop", ["", "begin", "zero", "x"], ["count", "y"], body=body),
    ]
    for end in (6, 0):
        constants = {"one": np.int64(1), "zero": np.int64(0), "end": np.int64(end)}
        outputs = [value("y"), value("count", I64, [])]
        session = agree(model(nodes, outputs, constants), device, 1, 3)
        assert session.prepare({"x": (3, 6)}).plan.cut is None


def test_a_loop_as_long_as_the_batch_collects_a_sequence(device: DeviceInfo) -> None:
    body = helper.make_graph(
        [
            node("Identity", ["yes"], ["c_out"]),
            node("Gather", ["x", "i"], ["row"], axis=0),
            node("Exp", ["row"], ["e"]),
            node("SequenceInsert", ["s_in", "e"], ["s_out"]),
        ],
        "body",
        [value("i", I64, []), value("c", BOOL, []), sequence("s_in")],
        [value("c_out", BOOL, []), sequence("s_out")],
    )
    nodes = [
        node("SequenceEmpty", [], ["s"], dtype=F),
        node("Shape", ["x"], ["shape"], start=0, end=1),
        node("Squeeze", ["shape"], ["trip"]),
        node("Loop", ["trip", "yes", "s"], ["all"], body=body),
        node("ConcatFromSequence", ["all"], ["y"], axis=0, new_axis=1),
    ]
    session = agree(model(nodes, [value("y")], {"yes": np.array(True)}), device, 1, 4)
    assert session.prepare({"x": (4, 6)}).plan.cut is None


def sequence(name: str):  # type: ignore[no-untyped-def]
    return helper.make_tensor_sequence_value_info(name, F, None)


def test_a_loop_that_a_condition_ends_cannot_carry_a_sequence(device: DeviceInfo) -> None:
    body = helper.make_graph(
        [
            node("ReduceSum", ["x"], ["total"], keepdims=0),
            node("Greater", ["total", "zero"], ["c_out"]),
            node("SequenceInsert", ["s_in", "x"], ["s_out"]),
        ],
        "body",
        [value("i", I64, []), value("c", BOOL, []), sequence("s_in")],
        [value("c_out", BOOL, []), sequence("s_out")],
    )
    nodes = [
        node("SequenceEmpty", [], ["s"], dtype=F),
        node("Loop", ["trip", "", "s"], ["all"], "the_loop", body=body),
        node("ConcatFromSequence", ["all"], ["y"], axis=0),
    ]
    constants = {"trip": np.int64(3), "zero": np.float32(0)}
    session = clconv.load(model(nodes, [value("y")], constants), device=device)
    with pytest.raises(UnsupportedError, match=r"the_loop.*carries the sequence 's'"):
        session.run({"x": np.ones((1, 6), np.float32)})


def test_a_scan_is_written_out(device: DeviceInfo) -> None:
    body = helper.make_graph(
        [
            node("Add", ["h_in", "part"], ["sum"]),
            node("Tanh", ["sum"], ["h_out"]),
            node("Identity", ["h_out"], ["shown"]),
        ],
        "body",
        [value("h_in", F, [6]), value("part", F, [6])],
        [value("h_out", F, [6]), value("shown", F, [6])],
    )
    for backwards in (0, 1):
        nodes = [
            node(
                "Scan", ["h", "x"], ["last", "all"], body=body, num_scan_inputs=1,
                scan_input_directions=[backwards], scan_output_axes=[1],
                scan_output_directions=[backwards],
            )
        ]  # fmt: skip
        constants = {"h": np.zeros(6, np.float32)}
        data = model(nodes, [value("last", F, [6]), value("all", F, [6, "n"])], constants)
        session = agree(data, device, 1, 4)
        assert session.prepare({"x": (4, 6)}).plan.cut is None


def test_random_numbers_are_new_at_every_run(device: DeviceInfo) -> None:
    nodes = [
        node("RandomNormalLike", ["x"], ["noise"], mean=1.0, scale=0.0),
        node("Add", ["x", "noise"], ["y"]),
        node("RandomUniform", [], ["u"], shape=[1000], low=2.0, high=3.0),
        node("RandomNormal", [], ["seeded"], shape=[50], seed=7.0),
        node("Multinomial", ["x"], ["classes"], sample_size=4),
    ]
    outputs = [value("y"), value("u"), value("seeded"), value("classes", TensorProto.INT32)]
    session = clconv.load(model(nodes, outputs), device=device)
    x = np.full((2, 6), -50, np.float32)
    x[:, 3] = 50
    first, second = session.run({"x": x}), session.run({"x": x})
    np.testing.assert_array_equal(first["y"], x + 1)
    assert first["u"].min() >= 2 and first["u"].max() <= 3 and abs(first["u"].mean() - 2.5) < 0.1
    assert (first["u"] != second["u"]).mean() > 0.9
    np.testing.assert_array_equal(first["seeded"], second["seeded"])
    np.testing.assert_array_equal(first["classes"], np.full((2, 4), 3, np.int32))


def test_an_optional_that_is_there_or_not(device: DeviceInfo) -> None:
    nodes = [
        node("Optional", ["x"], ["o"]),
        node("OptionalHasElement", ["o"], ["has"]),
        node("OptionalGetElement", ["o"], ["got"]),
        node("Exp", ["got"], ["y"]),
        node("OptionalHasElement", [], ["has_not"]),
    ]
    outputs = [value("y"), value("has", BOOL), value("has_not", BOOL)]
    session = clconv.load(model(nodes, outputs, opset=18), device=device)
    found = session.run({"x": np.zeros((1, 6), np.float32)})
    assert found["has"] and not found["has_not"]
    np.testing.assert_array_equal(found["y"], np.ones((1, 6), np.float32))


def test_batch_normalisation_by_the_batch(device: DeviceInfo) -> None:
    nodes = [
        node(
            "BatchNormalization", ["x", "scale", "bias", "mean", "variance"],
            ["y", "new_mean", "new_variance"], training_mode=1, momentum=0.7,
        )
    ]  # fmt: skip
    rng = np.random.default_rng(0)
    names = ("scale", "bias", "mean", "variance")
    constants = {n: rng.uniform(0.5, 1, 6).astype(np.float32) for n in names}
    outputs = [value("y"), value("new_mean", F, [6]), value("new_variance", F, [6])]
    session = clconv.load(model(nodes, outputs, constants), device=device)
    x = rng.normal(0, 1, (9, 6)).astype(np.float32)
    found = session.run({"x": x})
    wanted = (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5) * constants["scale"] + constants["bias"]
    np.testing.assert_allclose(found["y"], wanted, 1e-4, 1e-5)
    running = 0.7 * constants["mean"] + 0.3 * x.mean(0)
    np.testing.assert_allclose(found["new_mean"], running, 1e-4, 1e-5)

"""If, Loop and Scan on a device, held against onnxruntime."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import (
    GraphProto,
    ModelProto,
    NodeProto,
    TensorProto,
    ValueInfoProto,
    helper,
    numpy_helper,
)

from clconv.api import load
from clconv.device.info import DeviceInfo
from clconv.errors import GraphError, ShapeError
from clconv.session.session import Session

FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
RNG = np.random.default_rng(5)
IMAGE = RNG.standard_normal((1, 3, 8, 8)).astype(np.float32)
WEIGHT = RNG.standard_normal((3, 3, 3, 3)).astype(np.float32)
DEEP = [1, 3, "h", "w"]


def value(name: str, kind: int = FLOAT, shape: Any = None) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def graph(
    nodes: Sequence[NodeProto],
    inputs: Sequence[ValueInfoProto],
    outputs: Sequence[ValueInfoProto],
    name: str = "g",
    **constants: np.ndarray,
) -> GraphProto:
    tensors = [numpy_helper.from_array(np.asarray(a), n) for n, a in constants.items()]
    return helper.make_graph(nodes, name, inputs, outputs, tensors)


def model(main: GraphProto) -> ModelProto:
    return helper.make_model(main, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def agree(proto: ModelProto, device: DeviceInfo, *runs: dict[str, np.ndarray]) -> Session:
    session = load(proto.SerializeToString(), device)
    known = onnxruntime.InferenceSession(
        proto.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    for feeds in runs:
        expected = known.run(None, feeds)
        found = session.run(feeds)
        assert len(expected) == len(found)
        for reference, result in zip(expected, found.values(), strict=True):
            assert result.dtype == reference.dtype
            assert result.shape == reference.shape
            np.testing.assert_allclose(result, reference, rtol=1e-4, atol=1e-5)
    return session


def branches(condition: NodeProto) -> ModelProto:
    """Convolves or doubles x, whichever the condition says, and adds x."""
    then = graph(
        [helper.make_node("Conv", ["x", "w"], ["t"], pads=[1, 1, 1, 1])], [], [value("t")], "then"
    )
    other = graph([helper.make_node("Add", ["x", "x"], ["e"])], [], [value("e")], "other")
    return model(
        graph(
            [
                condition,
                helper.make_node("If", ["c"], ["y"], then_branch=then, else_branch=other),
                helper.make_node("Add", ["y", "x"], ["z"]),
            ],
            [value("x", FLOAT, DEEP), value("limit")],
            [value("z", FLOAT, DEEP)],
            w=WEIGHT,
            zero=np.float32(0),
        )
    )


def test_the_condition_is_computed_on_the_way(device: DeviceInfo) -> None:
    proto = branches(helper.make_node("Greater", ["limit", "zero"], ["c"]))
    proto.graph.input[1].type.tensor_type.shape.SetInParent()
    yes, no = np.array(1, np.float32), np.array(-1, np.float32)
    agree(
        proto, device, *({"x": IMAGE, "limit": limit} for limit in (yes, no, yes)),
        {"x": IMAGE[:, :, 2:], "limit": no},
    )  # fmt: skip


def test_the_condition_is_known_once_the_sizes_are(device: DeviceInfo) -> None:
    """Then nothing is cut: the branch stands in the If's place in one plan."""
    then = graph([helper.make_node("Relu", ["x"], ["t"])], [], [value("t")], "then")
    other = graph([helper.make_node("Neg", ["x"], ["e"])], [], [value("e")], "other")
    proto = model(
        graph(
            [
                helper.make_node("Shape", ["x"], ["shape"], start=2, end=3),
                helper.make_node("Greater", ["shape", "seven"], ["c"]),
                helper.make_node("If", ["c"], ["y"], then_branch=then, else_branch=other),
            ],
            [value("x", FLOAT, DEEP)],
            [value("y", FLOAT, DEEP)],
            seven=np.array([7]),
        )
    )
    session = agree(proto, device, {"x": IMAGE}, {"x": IMAGE[:, :, 2:]})
    assert session.prepare({"x": IMAGE.shape}).plan.cut is None


def test_branches_inside_branches_share_names_and_constants(device: DeviceInfo) -> None:
    def inner(name: str, op: str) -> GraphProto:
        return graph([helper.make_node(op, ["a", "k"], ["r"], name="same")], [], [value("r")], name)

    def outer(name: str, first: str, second: str) -> GraphProto:
        node = helper.make_node(
            "If", ["d"], ["q"], then_branch=inner("t", first), else_branch=inner("e", second)
        )
        return graph(
            [helper.make_node("Add", ["x", "k"], ["a"], name="same"), node], [], [value("q")], name,
            k=np.full(4, 3, np.float32),
        )  # fmt: skip

    proto = model(
        graph(
            [
                helper.make_node(
                    "If", ["c"], ["y"], then_branch=outer("o", "Mul", "Sub"),
                    else_branch=outer("p", "Div", "Add"),
                )
            ],
            [value("x", FLOAT, [4]), value("c", BOOL, []), value("d", BOOL, [])],
            [value("y", FLOAT, [4])],
        )
    )  # fmt: skip
    x = np.arange(4, dtype=np.float32)
    truth = [np.array(True), np.array(False)]
    agree(proto, device, *({"x": x, "c": c, "d": d} for c in truth for d in truth))


def loop_body(*nodes: NodeProto) -> GraphProto:
    return graph(
        [*nodes, helper.make_node("Less", ["sum", "limit"], ["go"])],
        [value("i", INT64, []), value("c", BOOL, []), value("v", FLOAT, [1, 3, 8, 8])],
        [value("go", BOOL), value("v2"), value("part")],
        "body",
    )


def test_a_loop_of_convolutions_stops_at_its_condition(device: DeviceInfo) -> None:
    body = loop_body(
        helper.make_node("Conv", ["v", "w"], ["v2"], pads=[1, 1, 1, 1]),
        helper.make_node("ReduceMean", ["v2"], ["part"], keepdims=0),
        helper.make_node("Abs", ["part"], ["sum"]),
    )
    proto = model(
        graph(
            [helper.make_node("Loop", ["m", "", "x"], ["y", "parts"], body=body)],
            [value("x", FLOAT, [1, 3, 8, 8]), value("m", INT64, []), value("limit", FLOAT, [])],
            [value("y", FLOAT, [1, 3, 8, 8]), value("parts", FLOAT, ["n"])],
            w=WEIGHT * 0.3,
        )
    )
    session = agree(
        proto,
        device,
        {"x": IMAGE, "m": np.array(3), "limit": np.array(9e9, np.float32)},
        {"x": IMAGE, "m": np.array(5), "limit": np.array(0, np.float32)},
    )
    cut = session.prepare({"x": IMAGE.shape, "m": (), "limit": ()}).plan.cut
    assert cut is not None and [node.op for node in cut.host_nodes] == ["Loop"]


def test_a_loop_that_never_runs_gives_what_its_body_declares(device: DeviceInfo) -> None:
    body = graph(
        [helper.make_node("Identity", ["c"], ["go"]), helper.make_node("Add", ["v", "v"], ["v2"])],
        [value("i", INT64, []), value("c", BOOL, []), value("v", FLOAT, [2])],
        [value("go", BOOL, []), value("v2", FLOAT, [2]), value("v2", FLOAT, [2])],
        "body",
    )
    proto = model(
        graph(
            [helper.make_node("Loop", ["m", "", "x"], ["y", "all"], body=body)],
            [value("x", FLOAT, [2]), value("m", INT64, [])],
            [value("y", FLOAT, [2]), value("all", FLOAT, ["n", 2])],
        )
    )
    session = load(proto.SerializeToString(), device)
    x = np.array([1, 2], np.float32)
    for count in (0, 3):
        found = session.run({"x": x, "m": np.array(count)})
        np.testing.assert_array_equal(found["y"], x * 2**count)
        wanted = [x * 2 ** (i + 1) for i in range(count)]
        np.testing.assert_array_equal(found["all"], np.reshape(wanted, (count, 2)))


def test_a_carried_value_may_grow(device: DeviceInfo) -> None:
    body = graph(
        [
            helper.make_node("Identity", ["c"], ["go"]),
            helper.make_node("Concat", ["v", "x"], ["v2"], axis=0),
        ],
        [value("i", INT64, []), value("c", BOOL, []), value("v", FLOAT, ["n"])],
        [value("go", BOOL, []), value("v2", FLOAT, ["n2"])],
        "body",
    )
    proto = model(
        graph(
            [helper.make_node("Loop", ["m", "yes", "x"], ["y"], body=body)],
            [value("x", FLOAT, [2]), value("m", INT64, [])],
            [value("y", FLOAT, ["n"])],
            yes=np.array(True),
        )
    )
    agree(proto, device, {"x": np.array([1, 2], np.float32), "m": np.array(4)})


@pytest.mark.parametrize("direction", [0, 1])
@pytest.mark.parametrize("axis", [0, 1])
def test_scan_reads_and_writes_along_its_axes(
    device: DeviceInfo, axis: int, direction: int
) -> None:
    body = graph(
        [helper.make_node("Add", ["s", "p"], ["s2"]), helper.make_node("Mul", ["s2", "k"], ["r"])],
        [value("s", FLOAT, [3]), value("p", FLOAT, [3])],
        [value("s2", FLOAT, [3]), value("r", FLOAT, [3])],
        "body",
    )
    proto = model(
        graph(
            [
                helper.make_node(
                    "Scan", ["s0", "x"], ["last", "all"], body=body, num_scan_inputs=1,
                    scan_input_axes=[axis], scan_output_axes=[1 - axis],
                    scan_input_directions=[direction], scan_output_directions=[1 - direction],
                )
            ],
            [value("s0", FLOAT, [3]), value("x", FLOAT, ["a", "b"])],
            [value("last", FLOAT, [3]), value("all", FLOAT, ["c", "d"])],
            k=np.array([1, 2, 3], np.float32),
        )
    )  # fmt: skip
    x = RNG.standard_normal((4, 3) if axis == 0 else (3, 4)).astype(np.float32)
    agree(proto, device, {"s0": np.ones(3, np.float32), "x": x})


def test_check_hears_of_nodes_inside_a_body(device: DeviceInfo) -> None:
    body = graph(
        [
            helper.make_node("Identity", ["c"], ["go"]),
            helper.make_node("Exp", ["v"], ["v2"], name="deep"),
        ],
        [value("i", INT64, []), value("c", BOOL, []), value("v", FLOAT, [2])],
        [value("go", BOOL, []), value("v2", FLOAT, [2])],
        "body",
    )
    proto = model(
        graph(
            [helper.make_node("Loop", ["m", "", "x"], ["y"], body=body)],
            [value("x", FLOAT, [2]), value("m", INT64, [])],
            [value("y", FLOAT, [2])],
        )
    )
    heard: list[str] = []
    feeds = {"x": np.zeros(2, np.float32), "m": np.array(2)}
    load(proto.SerializeToString(), device).check(
        feeds, lambda node, *rest: heard.append(node.name)
    )
    assert heard.count("deep") == 2


def test_what_cannot_be_says_so(device: DeviceInfo) -> None:
    body = graph(
        [helper.make_node("Identity", ["c"], ["go"])], [value("c", BOOL)], [value("go", BOOL)]
    )
    proto = model(
        graph([helper.make_node("Loop", ["m", "", "x"], ["y"], name="odd", body=body)],
              [value("x", FLOAT, [2]), value("m", INT64, [])], [value("y")])
    )  # fmt: skip
    with pytest.raises(GraphError, match=r"'odd' \(Loop\): its body has 1 inputs"):
        load(proto.SerializeToString(), device)
    proto = branches(helper.make_node("Greater", ["limit", "zero"], ["c"]))
    with pytest.raises(ShapeError, match="one bool"):
        proto.graph.input[1].type.CopyFrom(value("limit", FLOAT, [2]).type)
        load(proto.SerializeToString(), device).run({"x": IMAGE, "limit": np.zeros(2, np.float32)})


@pytest.mark.parametrize("growing", [False, True])
def test_long_loops_run_many_trips_at_once(device: DeviceInfo, growing: bool) -> None:
    """What one trip hands to the next, its number, and its slices, whatever the number of trips."""
    step = [
        helper.make_node("Cast", ["i"], ["number"], to=FLOAT),
        helper.make_node("Add", ["a", "number"], ["t"]),
        helper.make_node("Mul", ["t", "half"], ["b" if not growing else "u"]),
        helper.make_node("Identity", ["c"], ["d"]),
        helper.make_node("ReduceSum", ["t"], ["s"], keepdims=0),
        helper.make_node("Neg", ["p"], ["q"]),
    ]
    if growing:
        step.append(helper.make_node("Concat", ["u", "half"], ["b"], axis=0))
    body = graph(
        step,
        [value("i", INT64, []), value("c", BOOL, []), value("a"), value("p")],
        [value("d", BOOL, []), value("b"), value("q"), value("s"), value("p")],
        half=np.float32([0.5]),
    )
    loop = helper.make_node("Loop", ["n", "", "x", "x"], ["y", "z", "sums", "all"], body=body)
    main = graph(
        [loop],
        [value("x", FLOAT, [2]), value("n", INT64, [])],
        [value("y"), value("z"), value("sums"), value("all")],
    )
    x = np.float32([1, -2])
    runs = [{"x": x, "n": np.array(n, np.int64)} for n in (1, 7, 8, 63, 64, 65, 150)]
    agree(model(main), device, *runs)


def test_a_condition_that_may_end_a_loop_is_looked_at_after_each_trip(device: DeviceInfo) -> None:
    body = graph(
        [
            helper.make_node("Add", ["a", "one"], ["b"]),
            helper.make_node("Less", ["b", "end"], ["d"]),
        ],
        [value("i", INT64, []), value("c", BOOL, []), value("a")],
        [value("d", BOOL, []), value("b")],
        one=np.float32(1),
        end=np.float32(70),
    )
    main = graph(
        [helper.make_node("Loop", ["n", "", "x"], ["y"], body=body)],
        [value("x", FLOAT, []), value("n", INT64, [])],
        [value("y")],
    )
    agree(
        model(main), device, *({"x": np.array(x, np.float32), "n": np.array(200)} for x in (0, 60))
    )

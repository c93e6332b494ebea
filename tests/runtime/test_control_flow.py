"""If, Loop and Scan on a device, held against onnxruntime."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import (
    GraphProto,
    ModelProto,
    NodeProto,
    helper,
)

from clconv.api import load
from clconv.device.info import DeviceInfo
from clconv.errors import GraphError, ShapeError
from tests.runtime.control_flow import (
    BOOL,
    DEEP,
    FLOAT,
    IMAGE,
    INT64,
    RNG,
    WEIGHT,
    agree,
    graph,
    model,
    value,
)


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

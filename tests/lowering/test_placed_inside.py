"""Values that lie inside others: which placements there are, which are refused, where each lies."""

from __future__ import annotations

import dataclasses

import pytest

from clconv.device.info import DeviceInfo
from clconv.graph.ir import Graph, Layout, Node, TensorSpec
from clconv.graph.ops import make_node
from clconv.lowering.copies.movement import part_offset
from clconv.lowering.lower import LoweredGraph, lower_graph
from clconv.lowering.model.arguments import Read, Write
from clconv.planning.lifetimes import value_lifetimes
from tests.graph.graph_builder import Builder, specialised
from tests.lowering.support import AVX2, NVIDIA
from tests.planning.support import make_plan

BLOCKED = Layout(8)


def lower(graph: Graph, device: DeviceInfo = AVX2) -> LoweredGraph:
    """Without passes: the nodes are lowered as they stand."""
    return lower_graph(graph, device)


def copies(lowered: LoweredGraph, op: str) -> list[str]:
    return [call.node for call in lowered.calls if call.node.startswith(op)]


def joined(*shapes: tuple[int, ...], axis: int = 1, last: str = "Relu") -> Graph:
    """A ReLU of each of several inputs, concatenated, and one more operator behind."""
    b = Builder()
    parts = [
        b.node("Relu", b.input(*shape, name=f"x{i}"), out=f"part{i}")
        for i, shape in enumerate(shapes)
    ]
    whole = b.node("Concat", *parts, out="whole", axis=axis)
    return with_specs(b, b.node(last, whole, out="result"))


def with_specs(b: Builder, *outputs: str) -> Graph:
    return specialised(b.graph(*outputs))


# --- where a part would lie ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "whole, part, axis, start, expected",
    [
        ((1, 24, 5, 7), (1, 8, 5, 7), 1, 16, 16 * 35 * 4),
        ((1, 24, 5, 7), (1, 3, 5, 7), 1, 5, 5 * 35 * 4),
        ((4, 6), (2, 6), 0, 1, 24),
        ((1, 1, 9, 7), (1, 1, 2, 7), 2, 3, 84),
        ((1, 2, 9, 7), (1, 2, 2, 7), 2, 3, None),  # two runs
        ((2, 24, 5, 7), (2, 8, 5, 7), 1, 0, None),  # a run for each image
        ((1, 24, 5, 7), (1, 0, 5, 7), 1, 8, None),  # nothing to place
    ],
)
def test_offset_of_a_plain_part(
    whole: tuple[int, ...], part: tuple[int, ...], axis: int, start: int, expected: int | None
) -> None:
    assert part_offset(TensorSpec(whole), TensorSpec(part), axis, start) == expected


@pytest.mark.parametrize(
    "channels, axis, start, expected",
    [
        (8, 1, 16, 16 * 35 * 4),
        (3, 1, 16, None),  # its last block would hold the next part's channels
        (4, 1, 24, 24 * 35 * 4),  # the last block of both
        (8, 1, 5, None),  # begins inside a block
        (28, 2, 0, None),  # rows of all blocks are no run
    ],
)
def test_offset_of_a_part_in_channel_blocks(
    channels: int, axis: int, start: int, expected: int | None
) -> None:
    whole = TensorSpec((1, 28, 5, 7)).with_layout(BLOCKED)
    shape = (1, channels, 5, 7) if axis == 1 else (1, 28, 3, 7)
    assert part_offset(whole, TensorSpec(shape).with_layout(BLOCKED), axis, start) == expected


def test_a_part_has_the_layout_of_the_whole() -> None:
    whole, part = TensorSpec((1, 16, 4, 4)), TensorSpec((1, 8, 4, 4))
    assert part_offset(whole, part, 1, 8) is not None
    assert part_offset(whole.with_layout(BLOCKED), part, 1, 8) is None


# --- what is taken ----------------------------------------------------------------------------------------


def test_concatenation_launches_nothing_and_its_parts_do_not_overlap() -> None:
    shapes = ((1, 8, 6, 8), (1, 16, 6, 8), (1, 4, 6, 8))
    lowered = lower(joined(*shapes))
    assert copies(lowered, "Concat") == []
    assert lowered.placed_inside == {
        "part0": ("whole", 0), "part1": ("whole", 8 * 48 * 4), "part2": ("whole", 24 * 48 * 4),
    }  # fmt: skip
    assert_parts_lie_apart(lowered)


def assert_parts_lie_apart(lowered: LoweredGraph) -> None:
    """Every part is inside what it lies in, and parts of one value overlap only if one holds the other."""
    spans: dict[str, list[tuple[int, int, str]]] = {}
    for name in lowered.placed_inside:
        root, begin = lowered.place(name)
        end = begin + lowered.specs[name].nbytes
        assert end <= lowered.specs[root].nbytes, name
        spans.setdefault(root, []).append((begin, end, name))
    for inside in spans.values():
        for i, (begin, end, name) in enumerate(inside):
            for other_begin, other_end, other in inside[i + 1 :]:
                separate = end <= other_begin or other_end <= begin
                assert separate or _holds(lowered, name, other) or _holds(lowered, other, name)


def _holds(lowered: LoweredGraph, outer: str, inner: str) -> bool:
    """Whether following the containers of `inner` leads to `outer`."""
    while inner != outer:
        if inner in lowered.placed_inside:
            inner = lowered.placed_inside[inner][0]
        elif inner in lowered.aliases:
            inner = lowered.aliases[inner]
        else:
            return False
    return True


def test_parts_of_parts_add_their_offsets() -> None:
    b = Builder()
    x = b.node("Relu", b.input(1, 8, 4, 8), out="x0")
    y = b.node("Sigmoid", x, out="y0")
    inner = b.node("Concat", x, y, out="inner", axis=1)
    z = b.node("Tanh", y, out="z0")
    outer = b.node("Concat", z, inner, out="outer", axis=1)
    lowered = lower(with_specs(b, b.node("Relu", outer, out="result")))
    bytes_of_8 = 8 * 32 * 4
    assert lowered.place("x0") == ("outer", bytes_of_8)
    assert lowered.place("y0") == ("outer", 2 * bytes_of_8)
    assert lowered.place("z0") == ("outer", 0)
    assert lowered.place("outer") == ("outer", 0)
    assert copies(lowered, "Concat") == []
    assert_parts_lie_apart(lowered)


def test_a_view_lies_where_its_source_does() -> None:
    b = Builder()
    x = b.node("Relu", b.input(1, 64), out="long")
    shape = b.constant([1, 2, 32], "int64")
    halves = b.node("Slice", x, *(b.constant([v], "int64") for v in (32, 64, 1)), out="half")
    view = b.node("Reshape", x, shape, out="view")
    total = b.node("Concat", b.node("Relu", view, out="again"), view, out="total", axis=0)
    lowered = lower(with_specs(b, b.node("Relu", halves, out="result"), total))
    assert lowered.place("half") == ("long", 128)
    assert lowered.place("view") == ("long", 0)
    assert "view" not in lowered.placed_inside, "a view owns no memory that could be placed"
    assert lowered.place("again") == ("total", 0)


def test_split_and_slice_lie_in_what_they_are_cut_from() -> None:
    b = Builder()
    x = b.node("Relu", b.input(1, 32, 4, 8), out="x0")
    b.nodes.append(split_node(x, ["left", "right"], 1))
    cut = b.node("Slice", x, *(b.constant([v], "int64") for v in (8, 24, 1)), out="cut")
    graph = with_specs(b, *(b.node("Relu", n, out=f"{n}_out") for n in ("left", "right", cut)))
    lowered = lower(graph)
    assert lowered.placed_inside == {
        "left": ("x0", 0), "right": ("x0", 16 * 32 * 4), "cut": ("x0", 8 * 32 * 4),
    }  # fmt: skip
    assert copies(lowered, "Split") == copies(lowered, "Slice") == []


def split_node(x: str, outputs: list[str], axis: int) -> Node:
    return make_node("Split", [x], outputs, "Split", axis=axis, num_outputs=len(outputs))


def test_a_graph_input_may_hold_parts_but_not_be_one() -> None:
    b = Builder()
    x = b.input(1, 16, 4, 8)
    y = b.node("Relu", x, out="y0")
    whole = b.node("Concat", x, y, out="whole", axis=1)
    cut = b.node("Slice", x, *(b.constant([v], "int64") for v in (8, 16, 1)), out="cut")
    lowered = lower(with_specs(b, b.node("Relu", whole, out="r0"), b.node("Relu", cut, out="r1")))
    assert "x" not in lowered.placed_inside
    assert copies(lowered, "Concat") == ["Concat1"], "the input alone is copied"
    assert lowered.placed_inside["y0"] == ("whole", 16 * 32 * 4)
    # x is wanted in channel blocks or plain; where the cut is made in x itself it lies in it.
    assert lowered.place("cut")[0] in ("x", "x@c8")


def test_a_constant_is_copied() -> None:
    b = Builder()
    y = b.node("Relu", b.input(1, 8, 4, 8), out="y0")
    whole = b.node("Concat", y, b.random(1, 8, 4, 8), out="whole", axis=1)
    lowered = lower(with_specs(b, b.node("Relu", whole, out="result")))
    assert lowered.placed_inside == {"y0": ("whole", 0)}
    assert copies(lowered, "Concat") == ["Concat1"]


def test_the_second_use_of_a_value_is_copied() -> None:
    """In one concatenation twice, or in two of them: memory lies in one place."""
    b = Builder()
    y = b.node("Relu", b.input(1, 8, 4, 8), out="y0")
    twice = b.node("Concat", y, y, out="twice", axis=1)
    other = b.node("Concat", y, b.node("Sigmoid", y, out="z0"), out="other", axis=1)
    lowered = lower(with_specs(b, b.node("Relu", twice, out="r0"), b.node("Relu", other, out="r1")))
    assert lowered.placed_inside == {"y0": ("twice", 0), "z0": ("other", 8 * 32 * 4)}
    assert copies(lowered, "Concat") == ["Concat1", "Concat3"]


def test_a_slice_is_copied_into_a_concatenation() -> None:
    """It lies in what it was cut from and cannot move."""
    b = Builder()
    x = b.node("Relu", b.input(1, 16, 4, 8), out="x0")
    cut = b.node("Slice", x, *(b.constant([v], "int64") for v in (0, 8, 1)), out="cut")
    whole = b.node("Concat", cut, x, out="whole", axis=1)
    lowered = lower(with_specs(b, b.node("Relu", whole, out="result")))
    assert lowered.place("x0") == ("whole", 8 * 32 * 4)
    assert lowered.place("cut") == ("whole", 8 * 32 * 4), "inside x0, which lies inside the whole"
    assert copies(lowered, "Concat") == ["Concat2"]
    assert_parts_lie_apart(lowered)


def test_a_misaligned_part_is_copied() -> None:
    """A buffer may begin only at multiples of the device's alignment."""
    shapes = ((1, 3, 3, 3), (1, 5, 3, 3), (1, 24, 3, 3))
    lowered = lower(joined(*shapes), NVIDIA)
    assert lowered.placed_inside == {"part0": ("whole", 0)}, "108 and 288 are no multiples of 128"
    assert len(copies(lowered, "Concat")) == 2
    finer = dataclasses.replace(NVIDIA, base_alignment=4)
    assert set(lower(joined(*shapes), finer).placed_inside) == {"part0", "part1", "part2"}


def test_several_images_are_copied() -> None:
    lowered = lower(joined((2, 8, 4, 8), (2, 8, 4, 8)))
    assert lowered.placed_inside == {}
    assert len(copies(lowered, "Concat")) == 2
    # Along the first axis they are runs again.
    assert len(lower(joined((2, 8, 4, 8), (1, 8, 4, 8), axis=0)).placed_inside) == 2


def test_empty_parts_are_no_offer() -> None:
    lowered = lower(joined((1, 0, 4, 8), (1, 8, 4, 8)))
    assert "part0" not in lowered.placed_inside and copies(lowered, "Concat") == []


# --- memory -----------------------------------------------------------------------------------------------


def test_a_container_lives_from_its_first_part_to_its_last_reader() -> None:
    graph = joined((1, 8, 4, 8), (1, 8, 4, 8))
    lowered = lower(graph)
    lives = {v.name: v for v in value_lifetimes(graph, lowered)}
    assert not {"part0", "part1"} & set(lives), "parts own no memory"
    steps = {call.node: i for i, call in enumerate(lowered.calls)}
    assert lives["whole"].first == steps["Relu0"]
    assert lives["whole"].last >= steps["Relu3"]
    assert lives["whole"].nbytes == 16 * 32 * 4


def test_parts_have_no_slot_and_outputs_inside_others_outlive_the_run() -> None:
    b = Builder()
    y = b.node("Relu", b.input(1, 16, 4, 8), out="y0")
    whole = b.node("Concat", y, b.node("Tanh", y, out="z0"), out="whole", axis=1)
    graph = b.graph("y0", b.node("Relu", whole, out="result"))
    plan = make_plan(graph, {"x": graph.specs["x"]}, NVIDIA)
    assert plan.lowered.placed_inside == {"y0": ("whole", 0), "z0": ("whole", 16 * 32 * 4)}
    assert set(plan.memory.slots) == {"x", "whole", "result"}
    assert plan.root("y0") == "whole"
    (life,) = (v for v in value_lifetimes(plan.graph, plan.lowered) if v.name == "whole")
    assert life.last == len(plan.calls), "y0 is read when all is done"


def test_arguments_still_name_the_part() -> None:
    """A plan's text says which value a kernel reads and writes; where it lies is told separately."""
    lowered = lower(joined((1, 8, 4, 8), (1, 8, 4, 8)))
    named = {a.value for c in lowered.calls for _, a in c.arguments if isinstance(a, Read | Write)}
    assert {"part0", "part1", "whole"} <= named

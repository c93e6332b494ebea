"""A graph lowered for made-up devices: which variants, which layouts, where conversions stand."""

from __future__ import annotations

import dataclasses

import pytest

from clconv.device.info import DeviceInfo
from clconv.errors import UnsupportedError
from clconv.graph.ir import PLAIN, Constant, DType, Graph, Layout, TensorSpec
from clconv.graph.ops import make_node
from clconv.lowering.lower import lower_graph
from clconv.lowering.model.arguments import Packed, Read
from clconv.planning.lifetimes import value_lifetimes
from tests.graph.graph_builder import CONV, Builder
from tests.lowering.networks import SAME, residual_network
from tests.lowering.support import (
    AVX2,
    AVX512,
    CPUS,
    DEVICES,
    GPUS,
    SSE,
    lower,
    optimised,
    reorders,
)
from tests.planning.support import make_plan

on_devices = pytest.mark.parametrize("machine", DEVICES, ids=lambda d: d.name)
on_cpus = pytest.mark.parametrize("machine", CPUS, ids=lambda d: d.name)
on_gpus = pytest.mark.parametrize("machine", GPUS, ids=lambda d: d.name)


@on_cpus
def test_no_conversion_between_blocked_convolutions(machine: DeviceInfo) -> None:
    graph, lowered = lower(residual_network(), machine)
    assert {n.op for n in graph.nodes} == {"Conv"}, "activations and sums are epilogues"
    # Narrow blocks may take the three channels of the picture as one, which converts it.
    inner = [name for name in reorders(lowered) if not name.startswith("x:")]
    assert inner == [f"result:c{machine.vector_width}->plain"]
    for node in graph.nodes:
        assert lowered.specs[node.outputs[0]].layout == Layout(machine.vector_width)


@on_gpus
def test_gpus_work_on_plain_tensors_without_conversions(machine: DeviceInfo) -> None:
    _, lowered = lower(residual_network(), machine)
    assert reorders(lowered) == []
    assert {s.layout for s in lowered.specs.values()} == {PLAIN}
    # Weighed against each other or refused, always with a reason.
    assert all(why for c in lowered.choices.values() for _, why in c.refused)


@on_cpus
def test_cpus_choose_the_kernel_that_fits_the_layer(machine: DeviceInfo) -> None:
    graph, lowered = lower(residual_network(), machine)
    for node in graph.nodes:
        name = lowered.choices[node.name].variant.name
        if node.attrs.group > 1:
            assert name == "depthwise"
        elif graph.spec(node.inputs[1]).shape[2:] == (1, 1):
            assert name == "direct"
        else:
            assert name in ("direct", "winograd2", "winograd4")
    assert all(set(c.local_size or ()) == {1} for c in lowered.calls)
    for choice in lowered.choices.values():
        assert choice.source == "heuristic"
        assert all(why for _, why in choice.refused)


@on_devices
def test_graph_outputs_come_out_plain(machine: DeviceInfo) -> None:
    b = Builder()
    x = b.input(1, 16, 6, 6)
    y = b.conv(x, 24, 16, 3, out="middle")
    z = b.conv(y, 20, 24, out="end")
    _, lowered = lower(b.graph(z, y, x), machine)
    assert set(lowered.stored) == {"middle", "end", "x"}
    for name, stored in lowered.stored.items():
        assert lowered.specs[stored].layout == PLAIN
        assert lowered.specs[stored].shape == lowered.specs[name].shape
    assert lowered.stored["x"] == "x"


@on_cpus
def test_consumers_share_a_conversion(machine: DeviceInfo) -> None:
    b = Builder()
    x = b.input(1, 32, 6, 6)
    outs = [b.conv(x, 32, 32, out=f"y{i}") for i in range(3)]
    _, lowered = lower(b.graph(*outs), machine)
    assert reorders(lowered).count(f"x:plain->c{machine.vector_width}") == 1
    target = f"x@c{machine.vector_width}"
    readers = [c.node for c in lowered.calls if target in c.reads]
    assert len(set(readers)) == 3


@on_devices
def test_one_pixel_tensors_change_layout_for_nothing(machine: DeviceInfo) -> None:
    """(N, C, 1, 1) with C a multiple of the block lies alike in both layouts."""
    b = Builder()
    x = b.input(2, 32, 1, 1)
    y = b.conv(x, 48, 32, out="y")
    _, lowered = lower(b.graph(y), machine)
    assert reorders(lowered) == []
    if machine.is_cpu:
        assert lowered.aliases == {
            f"x@c{machine.vector_width}": "x",
            lowered.stored["y"]: "y",
        }


def test_one_pixel_of_a_part_block_is_converted() -> None:
    b = Builder()
    y = b.conv(b.input(1, 13, 1, 1), 21, 13, out="y")
    _, lowered = lower(b.graph(y), AVX2)
    assert reorders(lowered) == ["x:plain->c8", "y:c8->plain"]


@on_devices
def test_padding_modes_need_no_variant_of_their_own(machine: DeviceInfo) -> None:
    for mode in ("constant", "reflect", "edge", "wrap"):
        b = Builder()
        y = b.conv(b.input(1, 16, 9, 9), 16, 16, 3, pad_mode=mode, **SAME)
        graph, lowered = lower(b.graph(y), machine)
        assert [n.op for n in graph.nodes] == ["Conv"]
        names = {c.variant.name for c in lowered.choices.values()}
        assert names != {"simple"} or not machine.is_cpu


@on_devices
def test_weights_that_are_not_constant_run_as_fast(machine: DeviceInfo) -> None:
    b = Builder()
    x, w = b.input(1, 16, 8, 8), b.input(16, 16, 3, 3, name="w")
    y = b.node("Conv", x, w, out="y", **CONV)
    _, lowered = lower(b.graph(y), machine)
    assert any("w" in call.reads for call in lowered.calls)
    assert next(iter(lowered.choices.values())).variant.name != "simple"


def test_an_operator_without_a_kernel_is_refused_by_name() -> None:
    half = TensorSpec((1, 4, 5, 5), DType.FLOAT16)
    node = make_node("Einsum", ["x"], ["y"], "turn it", equation="abcd->dcba")
    specs = {"x": half, "y": dataclasses.replace(half, shape=(5, 5, 4, 1))}
    graph = Graph("half", (node,), ("x",), ("y",), specs)
    with pytest.raises(UnsupportedError, match=r"node 'turn it' \(Einsum\) on AVX2.*float16"):
        lower_graph(graph, AVX2)


@on_devices
def test_nothing_is_launched_for_tensors_without_elements(machine: DeviceInfo) -> None:
    b = Builder()
    x = b.input(0, 16, 8, 8)
    y = b.node("Relu", b.conv(x, 32, 16, 3))
    z = b.conv(y, 32, 32, 3, group=32, out="z")
    graph, lowered = lower(b.graph(z), machine)
    assert lowered.calls == ()
    assert {v.name: v.nbytes for v in value_lifetimes(graph, lowered)}.keys() >= {"x"}
    assert make_plan(b.graph("z"), {"x": TensorSpec((0, 16, 8, 8))}, machine).calls == ()


def test_ends_say_which_calls_are_whose() -> None:
    graph, lowered = lower(residual_network(), AVX2)
    assert len(lowered.ends) == len(graph.nodes)
    begin = 0
    for node, end in zip(graph.nodes, lowered.ends, strict=True):
        own = [c.node for c in lowered.calls[begin:end]]
        assert own and own[-1] == node.name
        begin = end
    assert all("->plain" in c.node for c in lowered.calls[begin:])


@on_cpus
def test_every_value_that_is_read_was_written(machine: DeviceInfo) -> None:
    graph, lowered = lower(residual_network(), machine)
    written = {*graph.inputs}
    for call in lowered.calls:
        for name in call.reads:
            while name in lowered.aliases:
                name = lowered.aliases[name]
            assert name in written
        written.update(call.writes)
    for call in lowered.calls:
        for _, argument in call.arguments:
            if isinstance(argument, Packed):
                assert argument.constant in graph.constants
            if isinstance(argument, Read):
                assert argument.value not in graph.constants


def test_names_of_conversions_and_scratch_never_meet_those_of_values() -> None:
    """A network may call its values what lowering would call its own."""
    b = Builder()
    x = b.input(1, 16, 12, 12)
    y = b.conv(x, 16, 16, 3, out="x@c8", **SAME)
    z = b.conv(y, 16, 16, 3, out="x@c8@plain", **SAME)
    w = b.conv(z, 16, 16, 3, out="Conv1/winograd_v", **SAME)
    graph = optimised(b.graph(w, y))
    doubled = graph.replace(nodes=tuple(dataclasses.replace(n, name="same") for n in graph.nodes))
    lowered = lower_graph(doubled, AVX2)
    values = {n for node in graph.nodes for n in node.outputs} | {"x"}
    own = [n for n in (*lowered.specs, *lowered.scratch) if n not in values]
    assert len(own) == len(set(own)) and not values & lowered.scratch.keys()
    writers: dict[str, set[int]] = {}
    for i, call in enumerate(lowered.calls):
        for name in call.writes:
            writers.setdefault(name, set()).add(i)
    assert all(len(writers[n]) == 1 for n in values - {"x"})


@on_devices
def test_a_plan_reads_as_text(machine: DeviceInfo) -> None:
    graph = residual_network()
    plan = make_plan(graph, {"x": graph.specs["x"]}, machine)
    text = str(plan)
    assert text.startswith(f"plan on {machine}")
    for call in plan.calls:
        assert call.kernel.symbol in text and f"# {call.node}" in text
    assert "largest live set" in text
    assert plan.live_bytes <= plan.memory.total


def test_narrow_and_wide_devices_block_by_their_own_width() -> None:
    for machine, width in ((SSE, 4), (AVX2, 8), (AVX512, 16)):
        _, lowered = lower(residual_network(), machine)
        assert {s.layout.block for s in lowered.specs.values()} == {1, width}


def test_constants_are_shared_between_plans_by_key() -> None:
    graph = residual_network()
    first = make_plan(graph, {"x": TensorSpec((1, 3, 12, 12))}, AVX2)
    second = make_plan(optimised_open(graph), {"x": TensorSpec((2, 3, 20, 16))}, AVX2)
    third = make_plan(optimised_open(graph), {"x": TensorSpec((1, 3, 9, 9))}, AVX2)
    assert packed_keys(second.calls, second.graph) == packed_keys(third.calls, third.graph)
    assert first.calls


def optimised_open(graph: Graph) -> Graph:
    return graph.replace(specs={"x": TensorSpec(("n", 3, "h", "w"))})


def packed_keys(calls: tuple, graph: Graph) -> set[int]:  # type: ignore[type-arg]
    constants: dict[str, Constant] = dict(graph.constants)
    return {
        constants[a.constant].key for c in calls for _, a in c.arguments if isinstance(a, Packed)
    }

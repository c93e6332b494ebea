"""Where a tuned choice comes from: exact shape, nearest shape, device family, vendor, else as usual."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from clconv.device.findings import Findings
from clconv.device.info import DeviceInfo, nvidia_matrix
from clconv.device.measurements import Entry, Machine, Measurements, Shape
from clconv.device.options import PlanOptions
from clconv.graph.ir import DType, Graph, TensorSpec
from clconv.lowering.choice.select import Choice
from clconv.lowering.lower import lower_graph
from clconv.lowering.model.kernel import AUTO, VARIANTS
from tests.graph.graph_builder import Builder
from tests.lowering.support import AVX2, AVX512, NVIDIA, optimised

SAME = {"pads": (1, 1, 1, 1)}


def layer(filters: int = 32, size: int = 14, channels: int = 16, **attrs: Any) -> Graph:
    b = Builder()
    x = b.input(1, channels, size, size)
    return optimised(b.graph(b.conv(x, filters, channels, 3, out="y", **{**SAME, **attrs})))


def shape_of(graph: Graph, instruction: str = "") -> Shape:
    (node,) = graph.nodes
    return Shape.of(
        node,
        [graph.spec(n) for n in node.inputs],
        [graph.spec(n) for n in node.outputs],
        instruction,
    )


def entry(graph: Graph, device: DeviceInfo = AVX2, **more: Any) -> Entry:
    fields: dict[str, Any] = {"variant": "direct", "parameters": (("pixels", 3),), **more}
    return Entry(Machine.of(device), shape_of(graph), **fields)


def chosen(
    graph: Graph,
    *entries: Entry,
    device: DeviceInfo = AVX2,
    quarantined: frozenset[tuple[str, str]] = frozenset(),
    **options: Any,
) -> Choice:
    findings = Findings(quarantined, Measurements(Machine.of(device), entries))
    (choice,) = lower_graph(graph, device, PlanOptions(**options), findings).choices.values()
    return choice


OTHER_CPU = dataclasses.replace(AVX2, name="another CPU of this runtime")
OTHER_RUNTIME = dataclasses.replace(AVX2, name="x", platform="another runtime")
OTHER_VENDOR = dataclasses.replace(OTHER_RUNTIME, vendor="y")
OTHER_DRIVER = dataclasses.replace(AVX2, driver="1.1")


USUAL = chosen(layer()).name


def test_the_usual_choice_is_another_one() -> None:
    assert USUAL != "direct"
    assert chosen(layer()).source == "heuristic" and not chosen(layer()).parameters


@pytest.mark.parametrize(
    "graph, machine, source",
    [
        (layer(), AVX2, "tuned: exact shape"),
        (layer(size=28), AVX2, "tuned: nearest shape"),
        (layer(size=55), AVX2, "tuned: nearest shape"),
        (layer(filters=48), AVX2, "tuned: nearest shape"),
        (layer(size=57), AVX2, "heuristic"),  # more than 16 times the pixels
        (layer(filters=65), AVX2, "heuristic"),
        (layer(dilations=(2, 2), pads=(2, 2, 2, 2)), AVX2, "heuristic"),
        (layer(), OTHER_CPU, "tuned: device family"),
        (layer(size=28), OTHER_CPU, "heuristic"),
        (layer(), OTHER_RUNTIME, "tuned: vendor"),
        (layer(), OTHER_VENDOR, "heuristic"),
        (layer(), OTHER_DRIVER, "heuristic"),
        (layer(), AVX512, "heuristic"),
        (layer(), NVIDIA, "heuristic"),
    ],
)
def test_levels(graph: Graph, machine: DeviceInfo, source: str) -> None:
    choice = chosen(graph, entry(layer()), device=machine)
    assert choice.source == source
    if source != "heuristic":
        assert choice.name == "direct pixels=3"


def test_the_best_level_and_the_nearest_shape_win() -> None:
    far, near = entry(layer(size=28)), entry(layer(size=16), parameters=(("pixels", 4),))
    family = entry(layer(), OTHER_CPU, parameters=(("pixels", 5),))
    vendor = entry(layer(), OTHER_RUNTIME, parameters=(("pixels", 6),))
    exact = entry(layer(), parameters=(("pixels", 7),))
    for left in ([vendor], [vendor, family], [vendor, family, far], [vendor, family, far, near],
                 [vendor, family, far, near, exact]):  # fmt: skip
        assert chosen(layer(), *left).parameters == left[-1].parameters
        assert chosen(layer(), *reversed(left)).parameters == left[-1].parameters


def test_what_is_shipped_serves_the_same_sizes_only_and_after_the_users() -> None:
    def source(graph: Graph, *own: Entry) -> tuple[str, str]:
        findings = Findings(measurements=Measurements(Machine.of(AVX2), own, (entry(layer()),)))
        (choice,) = lower_graph(graph, AVX2, findings=findings).choices.values()
        return choice.source, choice.name

    assert source(layer()) == ("tuned: exact shape", "direct pixels=3")
    assert source(layer(size=28))[0] == "heuristic"
    mine = entry(layer(), parameters=(("pixels", 4),))
    assert source(layer(), mine) == ("tuned: exact shape", "direct pixels=4")
    assert source(layer(), entry(layer(), is_default=True))[0] == "tuned: exact shape, as usual"


def test_parameters_reach_the_kernel() -> None:
    findings = Findings(measurements=Measurements(Machine.of(AVX2), (entry(layer()),)))
    (call,) = [
        c
        for c in lower_graph(layer(), AVX2, findings=findings).calls
        if c.kernel.entry == "conv_direct"
    ]
    assert dict(call.kernel.parameters)["pixels"] == 3


@pytest.mark.parametrize(
    "wrong",
    [
        {"variant": "no such"},
        {"parameters": (("no such", 1),)},
        {"parameters": (("pixels", 99),)},
        {"variant": "depthwise", "parameters": ()},  # does not apply
    ],
)
def test_what_the_variant_does_not_have_is_never_used(wrong: dict[str, Any]) -> None:
    assert chosen(layer(), entry(layer(), **wrong)).source == "heuristic"
    family = entry(layer(), OTHER_CPU)
    assert chosen(layer(), entry(layer(), **wrong), family).source == "tuned: device family"


def test_forced_and_quarantined_come_first() -> None:
    bad = frozenset({("Conv", "direct")})
    assert chosen(layer(), entry(layer()), quarantined=bad).source == "heuristic"
    forced = chosen(layer(), entry(layer()), forced={"conv": "direct"})
    assert forced.source == "forced" and not forced.parameters


HOPPER = dataclasses.replace(NVIDIA, matrix=nvidia_matrix((9, 0)), largest_work_group=1024)


def dense(dtype: str) -> Graph:
    b = Builder()
    x = b.input(64, 256)
    b.specs[x] = TensorSpec((64, 256), DType(dtype))
    weights = b.constant(np.zeros((256, 512)), dtype)
    return optimised(b.graph(b.node("MatMul", x, weights, out="y")))


@pytest.mark.parametrize("precision", ["tf32", "float16"])
def test_what_was_best_without_matrix_instructions_does_not_shut_them_out(precision: str) -> None:
    """Nor the other way about: each is found in its own class."""
    graph = dense("float16" if precision == "float16" else "float32")
    asked = dataclasses.replace(HOPPER, matrix_verified=True)
    instruction = {"tf32": "tf32", "float16": "f16"}[precision]
    unable = dataclasses.replace(asked, matrix=frozenset(), matrix_verified=False)
    plain = entry(graph, HOPPER, variant="local", parameters=())
    usual = entry(graph, HOPPER, variant="local", parameters=(), is_default=True)
    for old in (plain, usual):
        choice = chosen(graph, old, device=asked, precision=precision)
        assert choice.variant.name == "matrix" and choice.source == "heuristic"
        assert chosen(graph, old, device=unable, precision=precision).source.startswith(
            "tuned: exact shape"
        )
    shape = shape_of(graph, instruction)
    assert ("instruction", instruction) in shape.kind and shape != plain.shape
    rows = [dataclasses.replace(e, shape=shape) for e in (plain, usual)]
    assert chosen(graph, rows[0], plain, device=asked, precision=precision).name == "local"
    assert chosen(graph, rows[1], device=asked, precision=precision).name == "matrix"
    assert chosen(graph, rows[0], device=unable, precision=precision).source == "heuristic"


def test_what_tuning_finds_under_strict_is_a_class_of_its_own() -> None:
    usual = entry(layer(), variant="winograd4", parameters=())
    (node,) = layer().nodes
    specs = [[layer().spec(n) for n in names] for names in (node.inputs, node.outputs)]
    found = dataclasses.replace(entry(layer()), shape=Shape.of(node, *specs, strict=True))
    assert found.shape != usual.shape
    choice = chosen(layer(), usual, found, precision="strict")
    assert choice.variant.name == "direct" and choice.source == "tuned: exact shape"
    assert "winograd" not in chosen(layer(), usual, precision="strict").name
    # Where strict rules nothing out, what was found without it serves.
    b = Builder()
    pointwise = optimised(b.graph(b.conv(b.input(1, 64, 14, 14), 64, 64, 1, out="y", **SAME)))
    assert chosen(pointwise, entry(pointwise), precision="strict").source == "tuned: exact shape"
    assert chosen(layer(), found).source == "heuristic"


def test_float32_results_serve_what_no_matrix_instruction_runs() -> None:
    """Also where products may round: there are none in a mean."""
    b = Builder()
    mean = optimised(b.graph(b.node("GlobalAveragePool", b.input(2, 8, 12, 12), out="y")))
    found = entry(mean, HOPPER, variant=VARIANTS["GlobalAveragePool"][-1].name, parameters=())
    assert chosen(mean, found, device=HOPPER, precision="tf32").source == "tuned: exact shape"
    # And where the device has no instruction for it.
    assert chosen(layer(), entry(layer()), precision="tf32").source == "tuned: exact shape"


def test_a_result_that_says_as_usual_ends_the_search() -> None:
    family = entry(layer(), OTHER_CPU)
    choice = chosen(layer(), family, entry(layer(), is_default=True))
    assert choice.name == USUAL and choice.source == "tuned: exact shape, as usual"


def test_gpu_families_are_generations() -> None:
    def family(name: str) -> tuple[str, ...]:
        return Machine.of(dataclasses.replace(NVIDIA, name=name)).family

    assert family("NVIDIA GeForce RTX 3080") == family("NVIDIA GeForce RTX 3060 Ti")
    assert family("NVIDIA GeForce RTX 3080") != family("NVIDIA GeForce RTX 4080")
    assert family("gfx1030") == family("gfx1035") != family("gfx1100")


def test_every_space_begins_with_its_default_and_has_plain_values() -> None:
    for variants in VARIANTS.values():
        for variant in variants:
            for name, values in variant.space.items():
                assert values[0] == AUTO and len(values) > 1, (variant.name, name)
                assert all(isinstance(v, int | str) for v in values)
                assert len(set(values)) == len(values)

"""The planned path is the fast one: speed is not lost silently when a choice changes.

The ten networks of the benchmark, lowered for a made-up two-core AVX2 processor; no device is needed.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator

import numpy as np
import pytest

from benchmarks.nets import NETS
from clconv.graph.ir import Constant, DType, Graph, Node, TensorSpec
from clconv.graph.passes import run_passes
from clconv.graph.specialise.specialise import specialise
from clconv.lowering.lower import LoweredGraph, lower_graph
from clconv.lowering.model.call import Kernel
from clconv.planning.persistent import groups
from clconv.planning.planner import Planner
from tests.lowering.support import AVX2

WINOGRAD = {"winograd4", "winograd2"}
# Smaller than two blocks' worth of a first layer's pixels: converting so little costs no more than a launch.
FEW_BYTES = 4096

# VGG's and AlexNet's filters take long to make up, and their layers are of the same kinds as the others'.
BY_NAME = [
    pytest.param(name, marks=[pytest.mark.slow] * (name in ("vgg16", "alexnet")))
    for name in sorted(NETS)
]


@functools.cache
def network(name: str, batch: int = 1) -> Graph:
    """The network with the same number everywhere in each weight: planning looks at shapes alone."""
    graph = NETS[name](batch)
    hollow = {
        n: Constant(np.broadcast_to(np.float32(0.5), c.spec.shape)) if c.spec.rank > 1 else c
        for n, c in graph.constants.items()
        if c.spec.dtype is DType.FLOAT32
    }
    return dataclasses.replace(graph, constants={**graph.constants, **hollow})


def planned(graph: Graph, shape: tuple[int, ...]) -> tuple[Graph, LoweredGraph]:
    """As Planner does it, for one input of that shape."""
    (x,) = graph.inputs
    after = run_passes(specialise(graph, {x: TensorSpec(shape)}).graph)
    return after, lower_graph(after, AVX2)


@functools.cache
def lowered(name: str, batch: int = 1) -> tuple[Graph, LoweredGraph]:
    graph = network(name, batch)
    return planned(graph, graph.specs[graph.inputs[0]].shape)


def chosen(name: str, batch: int = 1) -> Iterator[tuple[Node, str]]:
    """(node, name of its variant) of every node that is left after the passes."""
    graph, plan = lowered(name, batch)
    for node in graph.nodes:
        yield node, plan.choices[node.name].variant.name


def templates(name: str) -> set[str]:
    return {call.kernel.template for call in lowered(name)[1].calls}


def launches_of(name: str, op: str) -> list[str]:
    graph, plan = lowered(name)
    nodes = {node.name for node in graph.nodes if node.op == op}
    assert nodes, f"{name} has no {op}"
    return [call.kernel.template for call in plan.calls if call.node in nodes]


def test_resnet18_takes_winograd_for_every_3x3_of_stride_1() -> None:
    graph, _ = lowered("resnet18")
    layers = [
        (node, variant)
        for node, variant in chosen("resnet18")
        if node.op == "Conv"
        and graph.spec(node.inputs[1]).shape[2:] == (3, 3)
        and set(node.attrs.strides) == {1}
    ]
    assert len(layers) == 13
    for node, variant in layers:
        assert variant in WINOGRAD, f"{node.name}: {variant}"
    # The large tile wherever the image is larger than a tile or two.
    large = [v for n, v in layers if graph.specs[n.outputs[0]].shape[2] >= 14]
    assert set(large) == {"winograd4"}


def test_resnet50_takes_winograd_for_3x3_of_stride_2() -> None:
    graph, _ = lowered("resnet50")
    variants = [
        variant
        for node, variant in chosen("resnet50")
        if node.op == "Conv"
        and graph.spec(node.inputs[1]).shape[2:] == (3, 3)
        and set(node.attrs.strides) == {2}
    ]
    # The last has seven by seven pixels, of which the tiles waste many.
    assert variants[:2] == ["winograd4_stride2", "winograd2_stride2"] and len(variants) == 3


@pytest.mark.parametrize("name", BY_NAME)
def test_a_network_is_one_launch_where_launches_are_joined(name: str) -> None:
    calls = lowered(name)[1].calls
    assert groups(calls) == [range(len(calls))]


def test_winograd_is_not_chosen_where_it_cannot_pay() -> None:
    """Few channels: the transforms would cost more than the product saves."""
    graph, _ = lowered("unet")
    first = next((n, v) for n, v in chosen("unet") if n.op == "Conv")
    assert graph.spec(first[0].inputs[1]).shape[1] == 3
    assert first[1] == "direct"


@pytest.mark.parametrize("name", sorted(set(NETS) - {"vgg16", "alexnet"}))
def test_no_conversion_between_convolutions(name: str) -> None:
    """The first layer reads the picture as it is, and what follows stays in channel blocks to the end."""
    graph, plan = lowered(name)
    edges = {*graph.inputs, *graph.outputs}
    for call in plan.calls:
        if call.kernel.entry == "reorder":
            (source,) = call.reads
            size = plan.specs[source].nbytes
            assert source in edges or size < FEW_BYTES, f"{call.node} converts {size:,} bytes"


@pytest.mark.parametrize("name", [pytest.param("vgg16", marks=pytest.mark.slow), "alexnet"])
def test_one_conversion_where_pixels_become_features(name: str) -> None:
    """Flatten of an image with more than one pixel needs the plain order; nothing else does."""
    graph, plan = lowered(name)
    (flatten,) = (node for node in graph.nodes if node.op == "Flatten")
    converted = [call.reads[0] for call in plan.calls if call.kernel.entry == "reorder"]
    assert converted == [flatten.inputs[0]]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            name, marks=[pytest.mark.slow] * (name in ("vgg16", "alexnet"))
        )  # large weights
        for name in sorted(set(NETS) - {"densenet121", "efficientnet_b0"})
    ],
)
def test_activations_and_residual_sums_are_fused(name: str) -> None:
    """No launch of its own for ReLU, ReLU6, Swish, residual sum, batch normalisation or bias."""
    graph, _ = lowered(name)
    elementwise = {"Add", "Relu", "Clip", "Mul", "Sigmoid", "BatchNormalization", "HardSwish"}
    assert not [node.name for node in graph.nodes if node.op in elementwise]
    assert not [t for t in templates(name) if t.startswith(("elementwise/", "norm/"))]


def test_residual_sums_are_steps_of_the_convolutions_behind_them() -> None:
    for name, sums in (("resnet18", 8), ("resnet50", 16), ("mobilenetv2", 10)):
        graph, _ = lowered(name)
        fused = [n for n in graph.nodes if any(step.op == "Add" for step in n.epilogue)]
        assert len(fused) == sums and {n.op for n in fused} == {"Conv"}, name


@pytest.mark.parametrize("name, count", [("mobilenetv2", 17), ("efficientnet_b0", 16)])
def test_depthwise_layers_take_the_depthwise_kernel(name: str, count: int) -> None:
    variants = [v for n, v in chosen(name) if n.op == "Conv" and n.attrs.group > 1]
    assert variants == ["depthwise"] * count


@pytest.mark.parametrize("name", ["squeezenet1_1", "densenet121", "unet", "yolo"])
def test_concatenations_launch_nothing_at_batch_1(name: str) -> None:
    assert launches_of(name, "Concat") == []


def test_slices_of_channels_launch_nothing_at_batch_1() -> None:
    assert launches_of("yolo", "Slice") == []


@pytest.mark.parametrize("name", ["squeezenet1_1", "yolo"])
def test_concatenations_keep_the_layout_at_batch_2(name: str) -> None:
    """With several images the parts are not one run each: one copy each, of whole blocks."""
    graph, plan = lowered(name, 2)
    nodes = {node.name for node in graph.nodes if node.op == "Concat"}
    calls = [call for call in plan.calls if call.node in nodes]
    assert calls and {call.kernel.template for call in calls} == {"movement/rows.cl.mako"}
    assert not [
        c.node
        for c in plan.calls
        if c.kernel.entry == "reorder" and c.reads[0] not in graph.outputs
    ]


def test_squeeze_and_excitation_is_one_pass_over_channel_blocks() -> None:
    """The gate of EfficientNet's blocks multiplies 16 times, each with the `channel` variant."""
    assert launches_of("efficientnet_b0", "Mul") == ["elementwise/channel.cl.mako"] * 16
    assert {t for t in templates("efficientnet_b0") if t.startswith("elementwise/")} == {
        "elementwise/channel.cl.mako"
    }


def test_densenets_scale_shift_and_relu_are_one_launch_each() -> None:
    """Batch normalisation in front of a convolution cannot be folded into weights: ReLU lies between."""
    graph, _ = lowered("densenet121")
    muls = [node for node in graph.nodes if node.op == "Mul"]
    assert all([step.op for step in node.epilogue] == ["Add", "Relu"] for node in muls)
    assert launches_of("densenet121", "Mul") == ["elementwise/channel.cl.mako"] * len(muls)
    assert not [n.name for n in graph.nodes if n.op in ("Add", "Relu", "BatchNormalization")]


@pytest.mark.parametrize("name", BY_NAME)
def test_dense_layers_read_weights_that_were_packed_once(name: str) -> None:
    assert {v for n, v in chosen(name) if n.op in ("Gemm", "MatMul")} <= {"blocked"}


@pytest.mark.parametrize("name", BY_NAME)
def test_no_simple_variant_runs(name: str) -> None:
    """The variants that take anything are for correctness, not for these networks."""
    slow = {"simple", "plain", "broadcast", "tiled"}
    assert not [(n.name, v) for n, v in chosen(name) if v in slow]


def kernels(plan: LoweredGraph) -> set[tuple[Kernel, tuple[int, ...] | None]]:
    """What has to be compiled: PoCL compiles anew for each local size too."""
    return {(call.kernel, call.local_size) for call in plan.calls}


def large(*names: str) -> list[object]:
    """So that their planning is left to the whole run."""
    return [pytest.param(name, marks=pytest.mark.slow) for name in names]


@pytest.mark.parametrize(
    "name",
    ["resnet18", "mobilenetv2", "squeezenet1_1", "unet", *large("resnet50", "efficientnet_b0")],
)
@pytest.mark.parametrize("size", [(256, 256), (192, 320), (352, 160)])
def test_a_new_size_compiles_nothing(name: str, size: tuple[int, int]) -> None:
    _, before = lowered(name)
    _, after = planned(network(name), (1, 3, *size))
    assert kernels(after) <= kernels(before)


@pytest.mark.parametrize("name", ["resnet18", "yolo", *large("densenet121")])
@pytest.mark.parametrize("size", [(256, 256), (448, 448), (96, 160)])
def test_only_another_variant_may_compile(name: str, size: tuple[int, int]) -> None:
    """Winograd's tile follows the size; whatever keeps its variant keeps its kernels."""
    _, before = lowered(name)
    _, after = planned(network(name), (1, 3, *size))
    new = kernels(after) - kernels(before)
    for call in after.calls:
        if (call.kernel, call.local_size) in new:
            variants = [plan.choices[call.node].variant.name for plan in (before, after)]
            assert variants[0] != variants[1], call.node


@pytest.mark.parametrize("name", ["squeezenet1_1", "mobilenetv2", "yolo"])
def test_a_larger_batch_compiles_nothing_new(name: str) -> None:
    _, two = lowered(name, 2)
    _, three = planned(
        network(name, 2), (3, *network(name).specs[network(name).inputs[0]].shape[1:])
    )
    variants = [{n: c.variant.name for n, c in plan.choices.items()} for plan in (two, three)]
    same = {n for n, v in variants[0].items() if variants[1][n] == v}
    new = kernels(three) - kernels(two)
    assert not [c.node for c in three.calls if c.node in same and (c.kernel, c.local_size) in new]


# Of 16 images, with a cache of 32 MiB; the others' weights cost more to read again than their values.
AT_A_TIME = {
    "mobilenetv2": 4,
    "efficientnet_b0": 4,
    "densenet121": 2,
    "squeezenet1_1": 4,
    "unet": 1,
    "yolo": 4,
}


@pytest.mark.parametrize(
    "name",
    [
        *sorted(set(NETS) - {"vgg16", "alexnet", "densenet121", "resnet50"}),
        *large("vgg16", "alexnet", "densenet121", "resnet50"),
    ],
)
def test_as_many_images_at_a_time_as_pays(name: str) -> None:
    device = dataclasses.replace(AVX2, cache=32 << 20)
    graph = run_passes(network(name, 16))
    plan = Planner(device).plan(graph, {n: graph.specs[n] for n in graph.inputs})
    assert plan.graph.specs[graph.inputs[0]].shape[0] == AT_A_TIME.get(name, 16)

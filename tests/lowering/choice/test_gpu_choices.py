"""What GPUs are given: which variant for which sizes and precision, and work-groups that every limit allows."""

from __future__ import annotations

import dataclasses
import math

import pytest

from clconv.cases import CASES, Case
from clconv.cases.base import data, weight
from clconv.config import PRECISIONS
from clconv.device.info import DeviceInfo, half_matrix, intel_matrix, nvidia_matrix
from clconv.device.options import PlanOptions
from clconv.graph.ir import TensorSpec
from clconv.lowering.choice.matrix import matrix_of
from clconv.lowering.choice.select import select
from clconv.lowering.lower import lower_graph, problem_of
from clconv.lowering.model.kernel import VARIANTS
from clconv.lowering.shared.tiles import HALF_MATRIX_TILES, INTEL_TILES, MATRIX_TILES, TILES, Tile
from tests.graph.graph_builder import Builder
from tests.lowering.every_call import DEVICE_CASES, calls_of
from tests.lowering.support import CPUS, GPUS, NVIDIA
from tests.planning.support import make_plan

BY_NAME = {case.name: case for case in CASES}
SAME = {"pads": (1, 1, 1, 1), "strides": (1, 1), "dilations": (1, 1), "group": 1}
HOPPER = dataclasses.replace(NVIDIA, matrix=nvidia_matrix((9, 0)), largest_work_group=1024)


def chosen(
    name: str, device: DeviceInfo, dtype: str | None = None, precision: str = "float32"
) -> str:
    case = BY_NAME[name]
    if dtype is not None:
        inputs = tuple(i and dataclasses.replace(i, dtype=dtype) for i in case.inputs)
        case = dataclasses.replace(case, inputs=inputs)
    graph, _ = case.build()
    options = PlanOptions(precision)
    return select(problem_of(graph, graph.nodes[0], device, options)).variant.name


@pytest.mark.parametrize("machine", GPUS, ids=lambda d: d.name)
@pytest.mark.parametrize(
    ("case", "variant"),
    [
        ("Gemm-dense_batch_1", "vector"),
        ("MatMul-matrix_vector", "vector"),
        ("Gemm-several_tiles", "local"),
        ("MatMul-attention_scores", "local"),
        ("Gemm-int64_scaled", "simple"),
        ("Softmax-channels", "group"),
        ("LayerNormalization-last_axis", "group"),
        ("InstanceNormalization-2-D", "group"),
        ("ReduceMean-spatial", "group"),
        ("ReduceMean-batch_and_columns", "two_sides"),
        ("ReduceLogSumExp-batch_and_columns", "strided"),
        ("GlobalAveragePool-primes", "group"),
        ("MaxPool-3x3_stride_2_same", "local"),
        ("MaxPool-indices", "simple"),
        ("Conv-depthwise", "depthwise_gpu"),
        ("Conv-stem_11x11_stride_4", "implicit_gemm"),
        ("ConvTranspose-wide_2x2_stride_2", "product"),
        ("ConvTranspose-4x4_stride_2", "product"),
        ("ConvTranspose-depthwise", "simple"),
    ],
)
def test_gpus_choose_the_kernel_that_fits(case: str, variant: str, machine: DeviceInfo) -> None:
    assert chosen(case, machine) == variant


def test_transposed_convolutions_multiply_where_there_is_room_for_the_products() -> None:
    products = 4 * 16 * 4 * 4 * 8 * 8  # of the case's filters, taps and pixels
    enough, less = (dataclasses.replace(HOPPER, largest_allocation=products - n) for n in (0, 1))
    assert chosen("ConvTranspose-4x4_stride_2", enough) == "product"
    assert chosen("ConvTranspose-4x4_stride_2", less) == "simple"


@pytest.mark.parametrize("machine", GPUS, ids=lambda d: d.name)
def test_first_layers_have_a_kernel_of_their_own(machine: DeviceInfo) -> None:
    """It has no loads in flight while it multiplies: groups enough must run side by side."""
    weights, strides = weight(64, 3, 7, 7), {"strides": (2, 2), "pads": (3, 3, 3, 3)}
    graph, _ = Case("Conv", "", (data(16, 3, 224, 224), weights), SAME | strides).build()
    assert select(problem_of(graph, graph.nodes[0], machine)).variant.name == "stem"


@pytest.mark.parametrize("machine", GPUS, ids=lambda d: d.name)
def test_few_long_lines_are_shared_by_work_groups(machine: DeviceInfo) -> None:
    """A whole image to one number, a large mean, and the softmax of a long row: one group would take long."""
    image, row = data(1, 16, 512, 512), data(1, 1 << 20)
    vector = Case("InstanceNormalization", "", (data(1, 3, 640, 640), weight(3), weight(3)))
    for case in (
        Case("ReduceMean", "", (image,)),
        Case("GlobalAveragePool", "", (data(1, 4, 512, 512),)),
        Case("Softmax", "", (row,)),
        vector,
    ):
        graph, _ = case.build()
        problem = problem_of(graph, graph.nodes[0], machine)
        choice = select(problem)
        assert choice.variant.name == "split", case.op
        calls = choice.variant.lower(problem).calls
        groups = math.prod(calls[0].global_size) // math.prod(calls[0].local_size or ())
        # No more than fill the device, none with too little to do.
        assert min(2 * machine.compute_units, 128) <= groups <= 8 * machine.compute_units
    many = Case("GlobalAveragePool", "", (data(64, 512, 7, 7),))
    graph, _ = many.build()
    assert select(problem_of(graph, graph.nodes[0], machine)).variant.name == "group"


@pytest.mark.parametrize("machine", CPUS, ids=lambda d: d.name)
def test_no_cpu_chooses_a_gpus_kernel(machine: DeviceInfo) -> None:
    able = dataclasses.replace(machine, extensions=frozenset({"cl_khr_fp64"}))
    for_gpus = {
        "local", "matrix", "matrix_gemm", "vector", "group", "split", "two_sides", "register", "implicit_gemm", "stem",
        "product", "matrix_product",
    }  # fmt: skip
    for case in DEVICE_CASES:
        if for_gpus & {variant.name for variant in VARIANTS[case.op]}:
            assert chosen(case.name, able) not in for_gpus, case.name


@pytest.mark.parametrize("case", ["Gemm-several_tiles", "MatMul-batched", "Conv-several_tiles"])
def test_nothing_is_rounded_unless_asked(case: str) -> None:
    assert "matrix" not in chosen(case, HOPPER)
    assert "matrix" in chosen(case, HOPPER, precision="tf32")
    # A product of halves is exact in float32, so it needs no asking, only an instruction that is known to be right.
    assert "matrix" not in chosen(case, HOPPER, "float16")
    for precision in PRECISIONS:
        known = dataclasses.replace(HOPPER, matrix_verified=True)
        assert ("matrix" in chosen(case, known, "float16", precision)) == (precision != "strict")
        assert ("matrix" in chosen(case, known, precision=precision)) == (precision == "tf32")
    # A float32 tensor of a network in float16 is one because half cannot hold it.
    assert "matrix" not in chosen(case, HOPPER, precision="float16")
    assert "matrix" in chosen(case, HOPPER, "float16", "float16")
    for precision in PRECISIONS:
        assert "matrix" not in chosen(case, NVIDIA, precision=precision)


def test_winograd_with_matrix_instructions_where_products_may_round() -> None:
    """F(2,3), for layers deep enough that its fewer products pay for both transforms; in half it could overflow."""
    deep = Case("Conv", "", (data(1, 512, 28, 28), weight(512, 512, 3, 3)), SAME)
    shallow = Case("Conv", "", (data(1, 64, 56, 56), weight(64, 64, 3, 3)), SAME)
    verified = dataclasses.replace(HOPPER, matrix_verified=True)

    def choice(case: Case, precision: str = "tf32") -> str:
        graph, _ = case.build()
        options = PlanOptions(precision)
        return select(problem_of(graph, graph.nodes[0], verified, options)).variant.name

    assert choice(deep) == "matrix_winograd2"
    assert choice(shallow) == "matrix_gemm"
    for precision in ("float32", "float16"):
        assert "matrix" not in choice(deep, precision)
    halves = tuple(i and dataclasses.replace(i, dtype="float16") for i in deep.inputs)
    assert choice(dataclasses.replace(deep, inputs=halves)) == "matrix_gemm"


def test_matrix_instructions_by_compute_capability() -> None:
    def have(capability: tuple[int, int], precision: str) -> tuple[str, int] | None:
        device = dataclasses.replace(NVIDIA, matrix=nvidia_matrix(capability))
        found = matrix_of(device, precision, halves=precision != "tf32")
        return None if found is None else (found.type, found.k)

    assert have((7, 0), "float16") is None
    assert have((7, 5), "float16") == ("f16", 8)
    assert have((7, 5), "tf32") is None
    assert have((8, 0), "float16") == ("f16", 16)
    assert have((8, 6), "tf32") == ("tf32", 8)
    assert have((9, 0), "float32") is None


def test_intel_has_matrix_instructions_for_halves_only() -> None:
    both = intel_matrix(frozenset({"cl_intel_subgroup_matrix_multiply_accumulate"}))
    for lanes in (8, 16):
        (one,) = (name for name in both if name == f"f16 {lanes} lanes")
        device = dataclasses.replace(GPUS[1], matrix=frozenset({one}))
        found = matrix_of(device, "float16", halves=True)
        assert found is not None and (found.rows, found.columns, found.k) == (8, lanes, 16)
        assert matrix_of(device, "tf32", halves=False) is None
    assert intel_matrix(frozenset()) == frozenset()


def test_arithmetic_of_halves_stands_in_for_matrix_instructions() -> None:
    half = frozenset({"cl_khr_fp16"})
    assert half_matrix("gfx1100", frozenset()) == frozenset()
    for name, k in (("gfx1030", 2), ("gfx90a:sramecc+:xnack-", 2), ("gfx1010", 1), ("Iris Xe", 1)):
        device = dataclasses.replace(GPUS[1], matrix=half_matrix(name, half))
        found = matrix_of(device, "float16", halves=True)
        assert found is not None and found.is_alone and (found.k, found.pair) == (k, k), name
        # Products in half are not exact: a network that declares float16 does not get them unasked.
        declared = matrix_of(dataclasses.replace(device, matrix_verified=True), "float32", True)
        assert (declared is None) == (k == 1), name
        assert matrix_of(device, "float16", halves=False) is None
        assert matrix_of(device, "tf32", halves=False) is None
    both = dataclasses.replace(GPUS[1], matrix=half | {"f16 8 lanes", "f16 short sums"})
    better = matrix_of(both, "float16", halves=True)
    assert better is not None and better.lanes == 8


def test_a_refusal_names_the_cure() -> None:
    (variant,) = (v for v in VARIANTS["Gemm"] if v.name == "matrix")
    graph, _ = BY_NAME["Gemm-plain"].build()
    assert "precision=" in str(variant.applies(problem_of(graph, graph.nodes[0], HOPPER)))
    refused = variant.applies(problem_of(graph, graph.nodes[0], NVIDIA, PlanOptions("tf32")))
    assert refused == "the device has no matrix instructions for tf32"


SMALL = dataclasses.replace(NVIDIA, local_memory=32 << 10, largest_work_group=256)
TINY = dataclasses.replace(NVIDIA, local_memory=8 << 10, largest_work_group=32)


@pytest.mark.parametrize("machine", (SMALL, TINY), ids=("small", "tiny"))
@pytest.mark.parametrize("op", ["Conv", "Gemm", "MatMul", "Softmax", "ReduceMax", "MaxPool", "Transpose",
                                "LayerNormalization", "GlobalMaxPool"])  # fmt: skip
def test_work_groups_respect_the_limits(op: str, machine: DeviceInfo) -> None:
    for case in DEVICE_CASES:
        if case.op == op:
            for call in calls_of(case, machine):
                items = 1
                for whole, own in zip(call.global_size, call.local_size or (), strict=False):
                    items *= own
                    assert whole % own == 0
                assert items <= machine.largest_work_group, f"{case.name}: {call}"


def test_tiles_fit_what_opencl_promises() -> None:
    assert all(t.local_bytes <= 32 << 10 and t.items <= 256 for t in TILES)
    tiles = (*MATRIX_TILES, *HALF_MATRIX_TILES, *INTEL_TILES)
    assert all(t.local_bytes <= 48 << 10 and t.items <= 256 for t in tiles)


def test_large_tiles_are_unrolled_no_further_than_registers_last() -> None:
    """Four rounds spill on Intel's GPUs and halve NVIDIA's work-groups; AMD's compiler makes more of them."""
    case = Case("Gemm", "", (data(4096, 512), weight(512, 4096)))
    graph, _ = case.build()
    (variant,) = (v for v in VARIANTS["Gemm"] if v.name == "local")
    for machine in GPUS:
        (call,) = variant.lower(problem_of(graph, graph.nodes[0], machine)).calls
        tile = dict(call.kernel.parameters)["tile"]
        amd = "AMD" in machine.vendor or "Advanced Micro" in machine.vendor
        assert (
            isinstance(tile, Tile) and tile.items in (128, 256) and tile.item_m * tile.item_n == 64
        )
        assert tile.depth == (4 if amd else 2), machine.name


def test_no_winograd_for_images_of_a_few_tiles() -> None:
    """7 x 7 pixels are 4 tiles of F(4,3), where a product has at least 64 columns."""
    h200 = dataclasses.replace(HOPPER, compute_units=132, local_memory=48 << 10)
    for batch, winograd in ((1, False), (64, True)):
        case = Case("Conv", "", (data(batch, 512, 7, 7), weight(512, 512, 3, 3)), SAME)
        graph, _ = case.build()
        name = select(problem_of(graph, graph.nodes[0], h200)).variant.name
        assert name.startswith("winograd") == winograd, name


def test_a_tuned_tile_without_room_is_not_taken() -> None:
    case: Case = BY_NAME["Gemm-several_tiles"]
    graph, _ = case.build()
    problem = dataclasses.replace(
        problem_of(graph, graph.nodes[0], dataclasses.replace(SMALL, largest_work_group=128)),
        parameters={"tile": "128x128"},
    )
    (variant,) = (v for v in VARIANTS["Gemm"] if v.name == "local")
    (call,) = [c for c in variant.lower(problem).calls if c.kernel.entry == "gemm_local"]
    assert call.local_size == (128, 1, 1)
    assert lower_graph(graph, SMALL).calls


def test_a_large_batch_has_no_more_groups_than_nvidia_allows() -> None:
    """Along the second and the third axis a grid may have 65535 (CUDA C++ Programming Guide, compute capabilities)."""
    roomy = dataclasses.replace(NVIDIA, global_memory=1 << 40, largest_allocation=1 << 40)
    b = Builder()
    pool = {"kernel_shape": (3, 3), "strides": (1, 1), "pads": (1, 1, 1, 1), "dilations": (1, 1)}
    y = b.conv(b.input("n", 1024, 14, 14), 1024, 1024, 3, pads=(1, 1, 1, 1), group=1024)
    y = b.node("MaxPool", b.conv(y, 512, 1024), **pool)
    y = b.node("AveragePool", b.conv(y, 512, 512, 3, pads=(1, 1, 1, 1)), **pool)
    y = b.node("Concat", y, b.node("Softmax", y, axis=1), axis=1)
    y = b.node("InstanceNormalization", y, b.random(1024), b.random(1024))
    y = b.node("ReduceMean", b.node("GlobalAveragePool", y), b.constant([2, 3], "int64"))
    plan = make_plan(b.graph(y), {"x": TensorSpec((256, 1024, 14, 14))}, roomy)
    for call in plan.calls:
        local = call.local_size or (1,) * len(call.global_size)
        groups = [-(-items // of) for items, of in zip(call.global_size, local, strict=True)]
        assert groups[0] < 1 << 31 and max(groups[1:], default=0) <= 65535, call

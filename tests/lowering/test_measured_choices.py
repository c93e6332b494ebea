"""What a made-up H200 is given is what a real one was fastest with (benchmarks/results/h200.md)."""

from __future__ import annotations

import dataclasses

import pytest

from clconv.cases.conv.conv import conv
from clconv.lowering.choice.select import select
from clconv.lowering.lower import problem_of
from clconv.lowering.model.kernel import VARIANTS, Problem
from tests.lowering.support import NVIDIA

H200 = dataclasses.replace(
    NVIDIA, compute_units=132, local_memory=48 << 10, largest_work_group=1024
)
# Channels and filters, size: milliseconds at batch 16, float32.
MEASURED = {
    (64, 224): {"winograd4_gpu": 0.768, "winograd2_fused": 1.071, "winograd4_fused": 1.219, "winograd2_gpu": 1.252,
                "implicit_gemm": 1.466},
    (256, 56): {"winograd4_gpu": 0.461, "winograd2_gpu": 0.760, "winograd2_fused": 0.977, "winograd4_fused": 1.140,
                "implicit_gemm": 1.351},
    (512, 28): {"winograd4_gpu": 0.452, "winograd2_gpu": 0.724, "winograd2_fused": 0.956, "winograd4_fused": 1.156,
                "implicit_gemm": 1.513},
    (64, 56): {"winograd4_gpu": 0.0614, "winograd2_fused": 0.0716, "winograd4_fused": 0.0792, "winograd2_gpu": 0.0921,
               "implicit_gemm": 0.0996},
    (128, 28): {"winograd4_gpu": 0.0510, "winograd2_gpu": 0.0704, "winograd2_fused": 0.0719, "winograd4_fused": 0.0791,
                "implicit_gemm": 0.1015},
    (256, 14): {"winograd4_gpu": 0.0560, "winograd2_gpu": 0.0690, "winograd2_fused": 0.0876, "implicit_gemm": 0.1128,
                "winograd4_fused": 0.1488},
    (512, 7): {"winograd4_gpu": 0.0638, "winograd2_gpu": 0.0740, "winograd2_fused": 0.1116, "implicit_gemm": 0.1163,
               "winograd4_fused": 0.2311},
}  # fmt: skip
_SAME = 1.15  # measurements so near to each other may come out in either order


def layer(batch: int, channels: int, size: int) -> Problem:
    case = conv("3x3", (batch, channels, size, size), (channels, channels, 3, 3), pads=(1,) * 4)
    graph, _ = case.build()
    return problem_of(graph, graph.nodes[0], H200)


@pytest.mark.parametrize("channels,size", MEASURED)
def test_variants_are_ranked_as_they_were_measured(channels: int, size: int) -> None:
    problem, measured = layer(16, channels, size), MEASURED[channels, size]
    assert select(problem).variant.name == "winograd4_gpu"
    estimates = {v.name: v.estimate(problem) for v in VARIANTS["Conv"] if v.estimate is not None}
    for one, time in measured.items():
        for other, longer in measured.items():
            if longer > _SAME * time:
                assert estimates[other] > estimates[one], (one, other)


@pytest.mark.parametrize("channels,size", MEASURED)
def test_variants_take_as_long_as_they_were_measured(channels: int, size: int) -> None:
    problem, measured = layer(16, channels, size), MEASURED[channels, size]
    estimates = {v.name: v.estimate(problem) for v in VARIANTS["Conv"] if v.estimate is not None}
    # Estimates are of a rate that is the same for all: an H200's is 2.25 times as much.
    for name, time in measured.items():
        assert 0.78 < time / (estimates[name] * 1e3 / 2.246) < 1.3, name


def test_few_launches_where_each_layer_is_short() -> None:
    """At batch 1 a launch costs more than some layers: three for one take only what is long enough."""
    assert select(layer(1, 256, 56)).variant.name == "winograd4_gpu"
    for size in ((64, 56), (512, 7)):
        problem = layer(1, *size)
        assert len(select(problem).variant.lower(problem).calls) <= 2, size

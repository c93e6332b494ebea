"""Products of convolutions with few channels, whose steps are whole rows of the window, padded with zeros: first layers."""

from __future__ import annotations

import dataclasses

import pytest

from clconv.cases.base import Case
from clconv.cases.conv.conv import conv
from clconv.device.info import DeviceInfo
from clconv.device.options import PlanOptions
from clconv.diagnosis.doctor import in_precision
from clconv.lowering.lower import problem_of
from clconv.lowering.model.kernel import VARIANTS
from tests.kernels.support import check_passes
from tests.lowering.support import GPUS

CASES = (
    conv("stem", (2, 3, 21, 19), (37, 3, 7, 7), strides=(2, 2), pads=(3, 3, 3, 3)),
    conv("dilated, uneven pads", (1, 5, 12, 25), (9, 5, 2, 7), dilations=(2, 3), pads=(1, 0, 2, 5)),
    conv("one row in groups", (3, 6, 23), (10, 3, 8), pads=(4, 3), group=2),
    conv("no pads", (1, 2, 9, 11), (66, 2, 3, 8)),
)
THREE = conv("three", (2, 3, 13, 11), (18, 3, 3, 3), pads=(1, 1, 1, 1))
# Matrix instructions, precision, variant.
KINDS = {
    "plain": ((), "float32", "implicit_gemm"), "tf32": (("tf32",), "tf32", "matrix_gemm"),
    "f16 k16": (("f16", "f16 k16"), "float16", "matrix_gemm"),
    "f16 8 lanes": (("f16 8 lanes",), "float16", "matrix_gemm"),
    "f16 pairs": (("f16 pairs",), "float16", "matrix_gemm"),
    "f16 short sums": (("f16 short sums",), "float16", "matrix_gemm"),
}  # fmt: skip


def tap_width(case: Case, device: DeviceInfo, precision: str, variant: str) -> int:
    graph, _ = in_precision(case, precision).build()
    problem = problem_of(graph, graph.nodes[0], device, PlanOptions(precision))
    (named,) = (v for v in VARIANTS["Conv"] if v.name == variant)
    return int(dict(named.lower(problem).calls[0].kernel.parameters)["tap_width"])  # type: ignore[call-overload]


@pytest.mark.parametrize(
    "kind", ["plain", *(pytest.param(k, marks=pytest.mark.slow) for k in KINDS if k != "plain")]
)
def test_they_agree_with_the_reference(kind: str, device: DeviceInfo) -> None:
    matrix, precision, variant = KINDS[kind]
    able = dataclasses.replace(device, kind="gpu", matrix=frozenset({*matrix, "emulated"}))
    for case in CASES if kind == "plain" else (*CASES[1:3], THREE):
        assert tap_width(case, able, precision, variant) == (4 if case is THREE else 8)
        check_passes(case, able, variant, precision=precision)


@pytest.mark.parametrize("able", GPUS, ids=lambda d: d.name)
def test_pixels_are_found_one_by_one_where_rows_do_not_pay(able: DeviceInfo) -> None:
    for case in (
        conv("five", (4, 3, 224, 224), (128, 3, 5, 5)),  # padded to eight, in tiles of 8x8 an item
        conv("reflected", (1, 3, 20, 20), (64, 3, 7, 7), pads=(3, 3, 3, 3), pad_mode="reflect"),
        conv("many channels", (1, 32, 20, 20), (64, 32, 7, 7)),
    ):
        assert tap_width(case, able, "float32", "implicit_gemm") == 0, case.name

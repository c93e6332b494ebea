"""Products of convolutions on images whose pixels are no multiple of four: four results of an item lie on several images."""

from __future__ import annotations

import dataclasses

import pytest

from clconv.cases.conv.conv import conv
from clconv.device.info import DeviceInfo
from tests.kernels.support import check_passes

# Batch, channels, size; filters, window; groups.
IMAGES = [
    ((5, 8, 1, 1), (70, 8, 1, 1), 1),
    ((9, 16, 1, 2), (32, 16, 1, 1), 1),
    ((7, 16, 1, 3), (9, 16, 1, 1), 1),
    ((6, 32, 7, 7), (64, 16, 1, 1), 2),
    ((3, 16, 5, 5), (128, 16, 3, 3), 1),
]
KINDS = {
    "plain": ((), "float32", "implicit_gemm"), "tf32": (("tf32",), "tf32", "matrix_gemm"),
    "f16 k16": (("f16", "f16 k16"), "float16", "matrix_gemm"),
    "f16 8 lanes": (("f16 8 lanes",), "float16", "matrix_gemm"),
    "f16 pairs": (("f16 pairs",), "float16", "matrix_gemm"),
}  # fmt: skip


@pytest.mark.parametrize(
    "kind", ["plain", *(pytest.param(k, marks=pytest.mark.slow) for k in KINDS if k != "plain")]
)
@pytest.mark.parametrize("image,weights,group", IMAGES, ids=lambda v: str(v).replace(" ", ""))
def test_each_result_goes_to_its_image(
    image: tuple[int, ...], weights: tuple[int, ...], group: int, kind: str, device: DeviceInfo
) -> None:
    matrix, precision, variant = KINDS[kind]
    able = dataclasses.replace(device, kind="gpu", matrix=frozenset({*matrix, "emulated"}))
    pad = weights[-1] // 2
    case = conv("ragged", image, weights, pads=(pad,) * 4, group=group)
    check_passes(case, able, variant, precision=precision)

"""Variants that are asked for by name."""

from __future__ import annotations

import pytest

from clconv.device.info import DeviceInfo
from clconv.errors import VariantError
from tests.graph.graph_builder import Builder
from tests.lowering.networks import residual_network
from tests.lowering.support import AVX2, GPUS, lower


def test_a_forced_variant_is_taken() -> None:
    b = Builder()
    y = b.conv(b.input(1, 16, 9, 9), 16, 16, 3)
    graph = b.graph(b.conv(y, 16, 16))
    for wanted in ("direct", "simple"):
        _, lowered = lower(graph, AVX2, {"conv": wanted})
        assert {c.variant.name for c in lowered.choices.values()} == {wanted}
        assert {c.source for c in lowered.choices.values()} == {"forced"}


def test_a_forced_variant_that_does_not_exist_lists_those_that_do() -> None:
    with pytest.raises(
        VariantError, match=r"no variant 'fast', there are \[.*'direct', .*'simple'\]"
    ):
        lower(residual_network(), AVX2, {"conv": "fast"})
    # Also where the network has no such operator: a slip of the pen must not pass in silence.
    with pytest.raises(VariantError, match="no variant 'fast'"):
        lower(residual_network(), AVX2, {"maxpool": "fast"})
    with pytest.raises(VariantError, match=r"no operator 'convolution' has variants.*'Conv'"):
        lower(residual_network(), AVX2, {"convolution": "simple"})


@pytest.mark.parametrize(
    ("machine", "wanted", "says"),
    [
        (GPUS[0], "direct", "channel blocks are for CPU devices"),
        (AVX2, "depthwise", "needs one filter for each channel"),
        (AVX2, "winograd4", "needs|only|channels|window|3x3"),
    ],
)
def test_a_forced_variant_that_cannot_apply_names_the_condition(
    machine: DeviceInfo, wanted: str, says: str
) -> None:
    b = Builder()
    b.conv(b.input(1, 16, 9, 9), 16, 16, 5, out="y")
    with pytest.raises(
        VariantError, match=f"variant '{wanted}' cannot apply: .*({says})"
    ) as raised:
        lower(b.graph("y"), machine, {"conv": wanted})
    assert "node 'Conv0' (Conv)" in str(raised.value) and str(machine) in str(raised.value)

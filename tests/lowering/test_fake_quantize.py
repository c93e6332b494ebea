"""What networks quantised to 8 bits compile."""

from __future__ import annotations

import pytest

from clconv.device.info import DeviceInfo
from clconv.graph.ir import TensorSpec
from tests.graph.graph_builder import Builder
from tests.lowering.support import AVX2, NVIDIA
from tests.planning.support import make_plan


@pytest.mark.parametrize("machine", [AVX2, NVIDIA], ids=["cpu", "gpu"])
def test_layers_that_differ_in_their_scale_share_a_kernel(machine: DeviceInfo) -> None:
    b = Builder()
    y = b.input("n", 16, 9, 9)
    for number in (1, 2, 3):
        y = b.conv(y, 16, 16, 1)
        given = b.constant(0.125 * number), b.constant(number, "uint8")
        q = b.node("QuantizeLinear", y, *given)
        y = b.node("DequantizeLinear", q, *given)
    plan = make_plan(b.graph(y), {"x": TensorSpec((1, 16, 9, 9))}, machine)
    assert [[step.op for step in node.epilogue] for node in plan.graph.nodes] == [
        ["FakeQuantize"]
    ] * 3
    products = {call.kernel for call in plan.calls if call.node.startswith("Conv")}
    others = len({call.kernel.entry for call in plan.calls if call.node.startswith("Conv")})
    assert len(products) == others, "a kernel for each layer"

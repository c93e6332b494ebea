"""What makes a work-item go through its loops very often is right, or refused where a device ends loops early."""

from __future__ import annotations

import pytest

from clconv.cases import Case, Operand, data, ints, weight
from clconv.device.info import DeviceInfo
from clconv.errors import UnsupportedError
from clconv.graph.reference import run_reference
from clconv.runtime.check import relative_error
from tests.kernels.support import plan_for, plans, run

LONG = 70_001  # llvmpipe ends all loops of a work-item after 65,535 rounds


def window(size: int) -> dict[str, object]:
    return {
        "kernel_shape": (size, size),
        "strides": (1, 1),
        "dilations": (1, 1),
        "pads": (0, 0, 0, 0),
    }


CASES = (
    Case("MatMul", "long", (data(3, LONG), data(LONG, 2))),
    Case("MatMul", "long int32", (data(3, LONG, dtype="int32", low=-9, high=9), data(LONG, 2, dtype="int32", low=-9, high=9))),
    Case("Gemm", "long constant", (data(2, LONG), weight(LONG, 9), weight(9))),
    Case("Conv", "long", (data(1, 3, 170, 170), weight(2, 3, 170, 170)), {"strides": (1, 1), "dilations": (1, 1), "pads": (0, 0, 0, 0)}),
    Case("Conv", "long channels", (data(1, 8000, 3, 5), weight(4, 8000, 3, 3)), {"strides": (1, 1), "dilations": (1, 1), "pads": (1, 1, 1, 1)}),
    Case("ConvTranspose", "long", (data(1, 8000, 3, 5), weight(8000, 2, 3, 3)), {"strides": (1, 1), "dilations": (1, 1), "pads": (0, 0, 0, 0), "output_padding": (0, 0)}),
    Case("ReduceSum", "long", (data(2, LONG), ints(1))),
    Case("ReduceMax", "long rows", (data(LONG, 3), ints(0))),
    Case("ReduceSum", "long int64", (data(2, LONG, dtype="int64", low=-9, high=9), ints(1))),
    Case("ArgMax", "long", (data(2, LONG),), {"axis": 1}),
    Case("ArgMin", "long rows", (data(LONG, 2),), {"axis": 0}),
    Case("Softmax", "long", (data(2, LONG),), {"axis": 1}),
    Case("LogSoftmax", "long rows", (data(LONG, 2),), {"axis": 0}),
    Case("LayerNormalization", "long", (data(2, LONG), weight(LONG), weight(LONG))),
    Case("InstanceNormalization", "long", (data(1, 2, 270, 270), weight(2), weight(2))),
    Case("GroupNormalization", "long", (data(1, 4, 150, 250), weight(4), weight(4)), {"num_groups": 2}),
    Case("GlobalAveragePool", "long", (data(1, 2, 270, 270),)),
    Case("GlobalMaxPool", "long", (data(1, 2, 270, 270),)),
    Case("AveragePool", "long", (data(1, 2, 300, 300),), window(290)),
    Case("MaxPool", "long", (data(1, 2, 300, 300),), window(290)),
    Case("CumSum", "long", (data(2, LONG), ints(1))),
    Case("TopK", "long", (data(2, LONG), ints(5)), outputs=2),
    Case("LSTM", "long fed", (data(40, 1, 30), data(1, 160, 30), data(1, 160, 40)), {"hidden_size": 40}, outputs=3),
    Case("GRU", "long fed", (data(40, 1, 30), data(1, 120, 30), data(1, 120, 40)), {"hidden_size": 40}, outputs=2),
    Case("Transpose", "long", (data(LONG, 7),), {"perm": (1, 0)}),
    Case("ScatterElements", "long", (data(LONG, 2), Operand((9, 2), "int64", low=0, high=LONG), data(9, 2)), {"reduction": "add"}),
    Case("ScatterElements", "long indices", (data(5, 2), Operand((LONG, 2), "int64", low=0, high=5), data(LONG, 2)), {"reduction": "max"}),
    Case("ScatterND", "long indices", (data(5, 2), Operand((LONG, 1), "int64", low=0, high=5), data(LONG, 2)), {"reduction": "max"}),
    Case("Attention", "long", (data(1, 2, 300, 256), data(1, 2, 300, 256), data(1, 2, 300, 256))),
    Case("DeformConv", "long", (data(1, 8000, 3, 5), weight(2, 8000, 3, 3), data(1, 18, 1, 3)), {"strides": (1, 1), "dilations": (1, 1), "pads": (0, 0, 0, 0)}),
    Case("LpPool", "long", (data(1, 2, 300, 300),), window(290)),
    Case("LpNormalization", "long", (data(2, LONG),), {"axis": 1}),
    Case("Hardmax", "long", (data(2, LONG),), {"axis": 1}),
)  # fmt: skip
LONGEST = (
    "TopK-long",
    "LpPool-long",
    "AveragePool-long",
    "Conv-long_channels",
    "MaxPool-long",
    "GroupNormalization-long",
)


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, marks=[pytest.mark.slow] * (case.name in LONGEST)) for case in CASES],
    ids=lambda case: case.name,
)
def test_long_loops_are_right_or_refused(case: Case, device: DeviceInfo) -> None:
    graph, feeds = case.build()
    expected = run_reference(graph, feeds)
    wrong = []
    for variant, plan in plans(case, device):
        found = run(plan, feeds)
        error = max(relative_error(found[n], reference) for n, reference in expected.items())
        if not error < 1e-4:
            wrong.append(f"{variant}: {error:.3g}")
    assert not wrong
    try:
        plan_for(graph, device, {})
    except UnsupportedError as reason:
        assert device.most_rounds and "rounds" in str(reason)

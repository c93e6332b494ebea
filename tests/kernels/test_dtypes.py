"""Every dtype that docs/operators.md names for an operator is right on the device, not only taken."""

from __future__ import annotations

import numpy as np
import pytest

from clconv.device.info import DeviceInfo
from clconv.graph.ir import DType
from clconv.graph.ops import OPS
from clconv.graph.reference import run_reference
from clconv.runtime.check import relative_error
from clconv.session.session import Session
from tests.tools.operators_table import running_cases

# Half has 11 bits, and what is kept in it between two steps is rounded twice.
TOLERANCE = {DType.FLOAT16: 4e-3}
DEVICE_OPS = sorted(name for name, op in OPS.items() if op.has_kernel and op.control is None)


@pytest.mark.slow
@pytest.mark.parametrize("op", DEVICE_OPS)
def test_every_dtype_is_computed_right(op: str, device: DeviceInfo) -> None:
    for dtype, case in running_cases(op).items():
        if dtype is DType.FLOAT64 and "cl_khr_fp64" not in device.extensions:
            continue
        graph, feeds = case.build()
        with np.errstate(all="ignore"):
            expected = run_reference(graph, feeds)
        found = Session(graph, device).run(feeds)
        for name, reference in expected.items():
            assert found[name].dtype == reference.dtype, f"{dtype.value}, output {name}"
            error = relative_error(found[name], reference)
            assert error <= max(case.tolerance, TOLERANCE.get(dtype, 0)), (
                f"{case.name} in {dtype.value}, output {name}: error {error:.3g}"
            )

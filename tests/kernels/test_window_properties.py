"""Convolution and pooling with parameters that nobody chose, through every variant that applies."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from clconv.cases import Case, data, weight
from clconv.device.info import DeviceInfo
from clconv.errors import ShapeError
from clconv.graph.reference import run_reference
from clconv.runtime.check import relative_error
from tests.kernels.support import plans, run

# Each example compiles its kernels, so they are few; derandomised, so that the cache has them next time.
few = settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@st.composite
def windows(draw: st.DrawFn) -> dict[str, Any]:
    """Sizes, window, strides, dilations and pads (of more than the axis, too) of one or two axes; not all fit together."""
    axes = draw(st.integers(1, 2))

    def each(least: int, most: int, count: int = axes) -> tuple[int, ...]:
        return tuple(draw(st.lists(st.integers(least, most), min_size=count, max_size=count)))

    return {
        "size": each(1, 17),
        "window": each(1, 5),
        "strides": each(1, 3),
        "dilations": each(1, 2),
        "pads": each(0, draw(st.sampled_from([3, 9])), 2 * axes),
        "batch": draw(st.integers(1, 2)),
        "pad_mode": draw(st.sampled_from(["constant", "reflect", "edge", "wrap"])),
    }


def check(case: Case, device: DeviceInfo) -> None:
    try:
        graph, feeds = case.build()
    except ShapeError:
        assume(False)  # the window does not fit, or the image is too small for its padding
    expected = run_reference(graph, feeds)
    tried = 0
    for variant, plan in plans(case, device):
        found = run(plan, feeds)
        for name, reference in expected.items():
            error = relative_error(found[name], reference)
            assert error <= case.tolerance, f"variant {variant}, output {name}: error {error:.3g}"
        tried += 1
    assert tried


@pytest.mark.slow
@few
@given(windows(), st.integers(1, 3), st.integers(1, 9), st.integers(1, 9), st.booleans())
def test_convolution(
    device: DeviceInfo,
    window: dict[str, Any],
    group: int,
    channels: int,
    filters: int,
    bias: bool,
) -> None:
    x = data(window["batch"], group * channels, *window["size"])
    w = weight(group * filters, channels, *window["window"])
    inputs = (x, w, weight(group * filters)) if bias else (x, w)
    attrs = {k: window[k] for k in ("strides", "dilations", "pads", "pad_mode")}
    check(Case("Conv", "any", inputs, {**attrs, "group": group}, tolerance=1e-4), device)


@pytest.mark.slow
@few
@given(
    windows(),
    st.sampled_from(["MaxPool", "AveragePool"]),
    st.integers(1, 19),
    st.integers(0, 1),
    st.integers(0, 1),
)
def test_pooling(
    device: DeviceInfo,
    window: dict[str, Any],
    op: str,
    channels: int,
    ceil_mode: int,
    count_include_pad: int,
) -> None:
    attrs = {k: window[k] for k in ("strides", "dilations", "pads", "pad_mode")}
    attrs |= {"kernel_shape": window["window"], "ceil_mode": ceil_mode}
    if op == "AveragePool":
        attrs["count_include_pad"] = count_include_pad
    x = data(window["batch"], channels, *window["size"])
    check(Case(op, "any", (x,), attrs, outputs=2 if op == "MaxPool" else 1), device)

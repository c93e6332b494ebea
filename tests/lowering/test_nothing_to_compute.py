"""A batch of no images, as a detector without detections hands on, is computed by no launch: no shape rule, no choice of a
kernel and no layout may divide by its size."""

from __future__ import annotations

import collections
import dataclasses
import itertools

import numpy as np
import pytest

from clconv.cases import Case
from clconv.device.options import PlanOptions
from clconv.errors import ClconvError, InternalError
from clconv.graph.passes.half import place_half
from clconv.graph.reference import run_reference
from clconv.lowering.choice.half import half_test
from clconv.lowering.lower import lower_graph
from clconv.lowering.ops.conv.implicit_gemm import product_weights
from tests.kernels.halves import OPS, cases_of
from tests.lowering.every_call import DEVICE_CASES, DEVICES


def emptied(case: Case) -> Case:
    """The case without images: what is fed and as long as the batch loses its first axis, and so do Resize's sizes."""
    batch = next((o.shape[0] for o in case.inputs if o is not None and o.shape), None)

    def of(index: int) -> object:
        operand = case.inputs[index]
        if operand is None:
            return None
        if not operand.constant and operand.values is None and operand.shape[:1] == (batch,):
            return dataclasses.replace(operand, shape=(0, *operand.shape[1:]))
        if case.op == "Resize" and index == 3 and not case.attrs.get("axes"):
            return dataclasses.replace(operand, values=(0, *operand.values[1:]))
        return operand

    inputs = tuple(of(i) for i in range(len(case.inputs)))
    return dataclasses.replace(case, inputs=inputs)  # type: ignore[arg-type]


@pytest.mark.filterwarnings("ignore:Mean of empty slice", "ignore:Degrees of freedom")
@pytest.mark.parametrize("kind", DEVICES)
def test_no_images_need_no_launch(kind: str) -> None:
    device, tried = DEVICES[kind], collections.Counter[str]()
    halves = half_test(device, PlanOptions())
    for case in itertools.chain(DEVICE_CASES, *map(cases_of, OPS)):
        try:
            graph, feeds = emptied(case).build()
            results = run_reference(graph, feeds)
        except InternalError:
            raise
        except ClconvError:  # attributes or indices that fit the case's own sizes only
            continue
        if any(array.size for array in results.values()):
            continue
        assert not lower_graph(place_half(graph, takes_half=halves), device).calls, case.name
        for name, array in results.items():
            assert array.shape == graph.specs[name].shape, case.name
        tried[case.op] += 1
    assert {"Conv", "ConvTranspose", "InstanceNormalization", "Resize", "MaxPool"} <= {*tried}
    assert sum(tried.values()) > 400


def test_forced_variants_compute_nothing_either() -> None:
    case = next(c for c in DEVICE_CASES if c.op == "Conv")
    graph, _ = emptied(case).build()
    lowered = lower_graph(graph, DEVICES["cpu"], PlanOptions(forced={"conv": "winograd4"}))
    assert not lowered.calls and np.prod(graph.specs[graph.outputs[0]].shape) == 0


@pytest.mark.parametrize(("tile", "block", "tap_width"), [(1, 1, 0), (8, 8, 0), (16, 4, 4)])
def test_filters_without_channels_can_be_packed(tile: int, block: int, tap_width: int) -> None:
    packed = product_weights(tile, 1, block, tap_width).function(np.zeros((4, 0, 3, 3), np.float32))
    assert packed.size == 0

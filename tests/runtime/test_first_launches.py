"""A load has machine code made for all kernels, by launches that compute nothing where that can be."""

from __future__ import annotations

import numpy as np
import pytest

from clconv.device.info import DeviceInfo
from clconv.graph.reference import run_reference
from clconv.layers import Conv2d, Relu, Sequential
from clconv.planning.persistent import count_of
from clconv.runtime.check import fetched, relative_error
from clconv.session.session import Session


def test_a_load_computes_nothing_and_the_first_run_all(device: DeviceInfo) -> None:
    graph = Sequential(Conv2d(5, 3), Relu(), Conv2d(4, 3), Relu()).build((3, 9, 9))
    session = Session(graph, device)
    bound = session.prepare({"input": (1, 3, 9, 9)})
    counts = [count_of(call) for call in bound.plan.launches]
    assert (bound.plan.launches is bound.plan.calls) == (counts == [None] * len(counts))
    if not any(counts):
        pytest.skip("launches are not joined here")
    assert all(count is None or count[1] > 1 for count in counts)
    assert not fetched(bound, bound.plan.lowered.stored["output"]).any()
    feeds = {"input": np.random.default_rng(1).standard_normal((1, 3, 9, 9), np.float32)}
    for _ in range(2):
        found = session.run(feeds)["output"]
        assert relative_error(found, run_reference(graph, feeds)["output"]) < 2e-5

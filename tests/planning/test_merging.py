"""Kernels that differ by their epilogues or bias alone are one function. That joined kernels give what each gives alone is
tested in test_persistent.py."""

from __future__ import annotations

import re

import pytest

from clconv.device.info import DeviceInfo
from clconv.graph.ir import Graph
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.template import render
from clconv.lowering.ops.conv.transforms import F2_3
from clconv.planning.merging import functions
from clconv.planning.persistent import kernels_of, persistent_kernel
from clconv.planning.planner import Planner
from clconv.runtime.opencl import open_device
from clconv.session.session import Session
from tests.graph.graph_builder import Builder
from tests.runtime.support import SAME, assert_runs_right, picture


def alike() -> Graph:
    """Convolutions with bias and without: alone, with a Relu, with a sum of two results."""
    b = Builder()
    plain = b.conv(b.input(1, 16, 7, 20), 16, 16, 3, **SAME)
    relu = b.node("Relu", b.conv(plain, 16, 16, 3, **SAME))
    return b.graph(b.node("Add", b.conv(relu, 16, 16, 3, bias=False, **SAME), plain))


def test_convolutions_share_a_function(waking: DeviceInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLCONV_VARIANT", "conv:direct")
    graph = alike()
    session = Session(graph, waking)
    assert_runs_right(session, graph, {"x": picture(1, 16, 7, 20)})
    (launch,) = session.prepare({"x": (1, 16, 7, 20)}).plan.launches
    found = [f for k, f in functions(kernels_of(launch.kernel)).items() if k.entry == "conv_direct"]
    assert len({f.kernel for f in found}) == 1
    assert sorted(f.choice for f in found if f.choice is not None) == [0, 1, 2]
    assert [("bias" in f.absent) for f in found].count(True) == 1


def test_winograds_transforms_share_their_sums(
    waking: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """These are most of what there is to compile, and stand in a program once."""
    monkeypatch.setenv("CLCONV_VARIANT", "conv:winograd4")
    b = Builder()
    graph = b.graph(b.conv(b.input(1, 20, 15, 14), 35, 20, 3, **SAME))
    session = Session(graph, waking)
    assert_runs_right(session, graph, {"x": picture(1, 20, 15, 14)})
    (launch,) = session.prepare({"x": (1, 20, 15, 14)}).plan.launches
    (product,) = [k for k in kernels_of(launch.kernel) if k.entry == "winograd_product"]
    parameters = dict(product.parameters) | {"transform": F2_3.output, "m": F2_3.m}
    both = product, Kernel.of(product.template, product.entry, **parameters)
    sums = [re.findall(r"#ifndef (\w+)\n#define \1\n", render(k)) for k in both]
    assert sums[0] == sums[1] and len(sums[0]) == 1
    assert open_device(waking).compiler.prepare([persistent_kernel(both)])


def test_other_kernels_stay_as_they_are(waking: DeviceInfo) -> None:
    """Also a single one, whose text is that of the kernel alone."""
    b = Builder()
    y = b.node("Softmax", b.conv(b.input(1, 16, 8, 8), 16, 16, 1), axis=1)
    graph = b.graph(y)
    (launch,) = Planner(waking).plan(graph, graph.input_specs()).launches
    called = functions(kernels_of(launch.kernel))
    assert all(f.kernel == k and f.choice is None and not f.absent for k, f in called.items())

"""Declarations in the place of OpenCL's header: they say the same, and nothing of ours asks for more."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
import pytest

from clconv.device.info import DeviceInfo
from clconv.graph.ir import Graph, TensorSpec
from clconv.graph.ops import make_node
from clconv.runtime.opencl import Device, builtins, open_device
from clconv.runtime.opencl import built as building
from clconv.session.session import Session

_OTHERS = """convert_int8 convert_uchar16_sat_rte convert_double2 vload8 vload3 vstore16 vload_half vload_half8 vloada_half4
vstore_half vstore_half_rte vstorea_half4_rtz"""


@pytest.fixture
def pocl(device: DeviceInfo) -> Device:
    if "Portable" not in device.platform:
        pytest.skip("only PoCL reads a header for each program")
    return open_device(device)


def _calls(names: Iterable[str]) -> str:
    return (
        "// "
        + " ".join(f"{name}(" for name in names)
        + "\nkernel void k(global int* x) { x[0] = 1; }\n"
    )


def test_every_declaration_stands_beside_the_header(pocl: Device) -> None:
    """The compiler refuses a function that is declared twice with different results."""
    text = builtins.declared(_calls([*builtins._table(), *_OTHERS.split()]))
    text = text.replace("_OPENCL_BASE_H_", "_NOT_READ_")  # types as well
    with building.without_logs():
        building.built(pocl.context, pocl._raw, text, building.BUILD_OPTIONS)


def test_overloads_are_all_there() -> None:
    declared = builtins.declared(_calls(["max", "isnan"]))
    for overload in (
        "long16 {} max(long16, long)",
        "float8 {} max(float8, float8)",
        "int4 {} isnan(float4)",
    ):
        assert overload.format(builtins._CONST) in declared
    assert not re.search(r"\bmin\(", declared)


def test_without_the_header_a_network_is_built_at_once(
    pocl: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Functions of all kinds: none needs the header."""
    monkeypatch.setattr(building, "BUILD_OPTIONS", ("-no-such-option",))  # of a second try
    nodes = (make_node("Exp", ["x"], ["a"], "exp"), make_node("Round", ["a"], ["y"], "round"))
    specs = {"x": TensorSpec((3, 5)), "y": TensorSpec((3, 5))}
    session = Session(Graph("functions", nodes, ("x",), ("y",), specs, {}), pocl.info)
    x = np.linspace(-2, 2, 15, dtype=np.float32).reshape(3, 5)
    assert np.array_equal(session.run({"x": x})["y"], np.round(np.exp(x)))

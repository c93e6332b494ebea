"""Devices with the least that OpenCL promises, and odd ones: no launch asks for more than they have."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import re
from collections.abc import Iterator

import pytest

from clconv.cases import Case
from clconv.device.info import DeviceInfo, nvidia_matrix
from clconv.device.options import PlanOptions
from clconv.errors import ShapeError, UnsupportedError
from clconv.graph.evaluate import infer_node
from clconv.graph.ir import Graph, TensorSpec
from clconv.lowering.lower import lower_graph
from clconv.lowering.model.arguments import Local
from clconv.lowering.model.call import KernelCall
from clconv.lowering.model.template import render
from clconv.lowering.variants import VARIANTS
from tests.lowering.every_call import DEVICE_CASES, calls_of
from tests.lowering.support import AVX2, AVX512, NVIDIA, made_up
from tests.lowering.test_signatures import cases_of

_PLAIN = {"extensions": frozenset({"cl_khr_fp64"}), "half": True}
_ALL = {**_PLAIN, "matrix_verified": True, "shuffle_verified": True, "dot_verified": True}
_NVIDIA = {**_ALL, "matrix": nvidia_matrix((9, 0)), "shuffle": "nvidia", "dot": "nvidia k32"}
_INTEL = {**_ALL, "matrix": frozenset({"f16 16 lanes"}), "shuffle": "intel", "dot": "intel 16 lanes",
          "subgroup": 16}  # fmt: skip
_KIB = 1 << 10
ODD = {
    # Of the embedded profile: 1 KiB of local memory.
    "1 KiB": made_up("1 KiB", **_NVIDIA, local_memory=_KIB, largest_work_group=1024),
    "4 KiB": made_up("4 KiB", **_INTEL, local_memory=4 * _KIB, compute_units=1),
    "one item": made_up("one item", **_NVIDIA, local_memory=16 * _KIB, largest_work_group=1),
    "8 items": made_up("8 items", **_NVIDIA, largest_work_group=8),
    "64 items": made_up("64 items", **_INTEL, local_memory=16 * _KIB, largest_work_group=64),
    "100 items": made_up("100 items", **_PLAIN, largest_work_group=100, compute_units=5000),
    "accelerator": made_up("accelerator", **_PLAIN, kind="accelerator", compute_units=1),
    "cpu": dataclasses.replace(AVX512, largest_work_group=1, compute_units=1),
}
_SIZES = {"char": 1, "uchar": 1, "short": 2, "ushort": 2, "half": 2, "int": 4, "uint": 4, "float": 4,
          "long": 8, "ulong": 8, "double": 8}  # fmt: skip
_LOCAL = re.compile(r"^\s*local (\w+?)(\d*) ([^;=]+?)(?: __attribute__.*)?;", re.M)


def declared_local_bytes(source: str) -> int:
    """Of all local arrays and variables that a kernel declares."""
    source = re.sub(r"/\*.*?\*/|//[^\n]*", " ", source, flags=re.S)
    total = 0
    for base, lanes, names in _LOCAL.findall(source):
        for name in names.split(","):
            count = eval(name[name.index("[") + 1 : name.rindex("]")]) if "[" in name else 1
            total += _SIZES[base] * int(lanes or 1) * count
    return total


def test_local_memory_is_counted() -> None:
    source = """
      local float4 a[3 * 2], b[4]; // local int c[9];
      local uint a_tile[8] __attribute__((aligned(16)));
      local int again_;
      local float* to = shared + 1;
      local const float4* from = a;
    """
    assert declared_local_bytes(source) == 16 * 10 + 32 + 4


def _lowered(case: Case, device: DeviceInfo) -> Iterator[KernelCall]:
    """What the case leads to, in float32 and as halves."""
    yield from calls_of(case, device)
    for precision in ("float16", "tf32") if device.matrix else ():
        with contextlib.suppress(UnsupportedError, ShapeError):
            halved = case.halved() if precision == "float16" else case
            yield from lower_graph(halved.build()[0], device, PlanOptions(precision)).calls


@pytest.mark.parametrize("machine", ODD.values(), ids=ODD)
def test_no_launch_asks_for_more_than_there_is(
    machine: DeviceInfo, pytestconfig: pytest.Config
) -> None:
    known = dict[object, int]()
    for case in (c for op in VARIANTS for c in cases_of(op, pytestconfig)):
        for call in _lowered(case, machine):
            local, kernel = call.local_size, call.kernel
            asked = f"{case.name}: {call}, work-group {local}"
            assert all(call.global_size), asked
            assert math.prod(local or ()) <= machine.largest_work_group, asked
            assert all(n % of == 0 for n, of in zip(call.global_size, local or (), strict=False)), (
                asked
            )
            if (
                local is None or machine.is_cpu
            ):  # there a group is an item, its local memory any other
                continue
            if kernel not in known:
                known[kernel] = declared_local_bytes(render(kernel))
            given = sum(a.nbytes for _, a in call.arguments if isinstance(a, Local))
            assert known[kernel] + given <= machine.local_memory, f"{asked}, {known[kernel]} bytes"


def _without_elements(case: Case) -> Iterator[Graph]:
    """The case's graph with no elements along an axis of its first input, or of all that are fed and as long there."""
    graph, feeds = case.build()
    node = graph.nodes[0]
    fed = [name for name in node.inputs if name in feeds]
    for axis in range(len(graph.specs[fed[0]].shape) if fed else 0):
        size = graph.specs[fed[0]].shape[axis]
        for names in (fed[:1], fed) if len(fed) > 1 else (fed,):
            specs = dict(graph.specs)
            for name in names:
                shape, dtype = graph.specs[name].shape, graph.specs[name].dtype
                if axis < len(shape) and shape[axis] == size:
                    specs[name] = TensorSpec((*shape[:axis], 0, *shape[axis + 1 :]), dtype)
            with contextlib.suppress(ShapeError):
                specs.update(
                    zip(node.outputs, infer_node(node, specs, graph.constants), strict=False)
                )
                yield dataclasses.replace(graph, specs=specs)


# Attention of heads without elements divides by their size, in the reference, too.
_EMPTY_CASES = [case for case in DEVICE_CASES if case.op != "Attention"]


@pytest.mark.parametrize("machine", (AVX2, AVX512, NVIDIA), ids=lambda d: d.name)
def test_a_batch_of_none_and_other_empty_axes_are_planned(machine: DeviceInfo) -> None:
    for case in _EMPTY_CASES:
        for graph in _without_elements(case):
            lower_graph(graph, machine)

"""One hostile value in a vector must not change what comes out beside it: runtimes' vector functions may take one path for
all lanes (PoCL's sine did: sin(0.001) = 0.008 beside 1e8)."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator

import numpy as np
import pytest

from clconv.cases.base import Case, Operand
from clconv.device.info import DeviceInfo
from clconv.errors import VariantError
from clconv.graph.ir import Graph
from clconv.graph.ops.elementwise.elementwise import ROWS
from clconv.graph.passes.fuse_epilogue import EPILOGUE_STEPS, fuse_epilogue
from clconv.graph.reference import run_reference
from clconv.lowering.model.call import Kernel
from clconv.planning.plan import Plan
from clconv.runtime.opencl import Program, open_device
from tests import optimisation
from tests.graph.graph_builder import Builder
from tests.kernels.support import plan_for, run

FLOATS = [name for name, row in ROWS.items() if row.kind in ("float", "number", "any")]
STEPS = [name for name in FLOATS if name in EPILOGUE_STEPS]
ATTRIBUTES = {"FakeQuantize": {"low": -128, "high": 127}}
# Small ones, where functions are told by their relative error, and ordinary ones.
CALM = (1e-3, 1e-10, 1e-30, 0.1, 0.0, 1.0, 2.0, 3.0, -1e-3, -0.1, -1.0, -2.0, 0.5, -0.5, 0.25, 5.0)
HOSTILE = (
    1e7, -1e7, 1e30, -1e30, 3e38, np.inf, -np.inf, np.nan, 1e-40, -1e-40, 0.0, -0.0, 130.0, -130.0, 1e4, 1e10,
)  # fmt: skip
# In every variant also in the quick run; of the others, whose expressions all variants share, in the first.
WRONG_ONCE = ("Sin", "Cos", "Tan")
TOLERANCE = 3e-6  # of each value, not of the largest
LEAST = 1.2e-38  # below it devices may say 0


@functools.cache
def hostile_rows() -> np.ndarray:
    """(16 hostile values x 2 places in a vector, 16)."""
    rows = np.tile(np.float32(CALM), (2 * len(HOSTILE), 1))
    for i, value in enumerate(HOSTILE):
        rows[2 * i, 5] = rows[2 * i + 1, 12] = value
    return rows


def operands_of(op: str, hostile: int) -> list[Operand]:
    """The row's operands, with the hostile values in one of them and positive ordinary ones in the others."""
    x = hostile_rows()
    calm = np.broadcast_to(np.abs(np.float32(CALM)) + 1, x.shape)
    found = []
    for i in range(ROWS[op].arity):
        if ROWS[op].condition_first and i == 0:
            found.append(Operand(x.shape, "bool", values=x > 0.3))
        elif op == "FakeQuantize" and i == 2:  # a zero point is whole
            found.append(Operand(x.shape, values=np.full(x.shape, 3.0)))
        else:
            found.append(Operand(x.shape, values=x if i == hostile else calm))
    return found


def places_of(op: str) -> Iterator[int]:
    for i in range(ROWS[op].arity):
        if not (ROWS[op].condition_first and i == 0) and not (op == "FakeQuantize" and i):
            yield i


def differing(found: np.ndarray, expected: np.ndarray) -> np.ndarray:
    if expected.dtype.kind != "f":
        return np.argwhere(found != expected)
    wide, right = found.astype(np.float64), expected.astype(np.float64)
    with np.errstate(invalid="ignore"):
        near = np.abs(wide - right) <= TOLERANCE * np.abs(right) + LEAST
    alike = (wide == right) | (np.isnan(wide) & np.isnan(right))
    return np.argwhere(~np.where(np.isfinite(right), near, alike))


def check(plan: Plan, graph: Graph, feeds: dict[str, np.ndarray], what: str) -> None:
    (expected,) = run_reference(graph, feeds).values()
    (found,) = run(plan, feeds).values()
    bad = differing(found, expected)
    if len(bad):
        at = tuple(bad[0])
        row = {name: array[at[0]].tolist() for name, array in feeds.items()}
        pytest.fail(f"{what}: {len(bad)} wrong; {found[at]} for {expected[at]} at {at} of {row}")


def cases_of(op: str) -> list[tuple[Graph, dict[str, np.ndarray]]]:
    attrs = ATTRIBUTES.get(op, {})
    return [
        Case(op, f"hostile {i}", tuple(operands_of(op, i)), attrs).build() for i in places_of(op)
    ]


def machines(device: DeviceInfo, whole: bool) -> list[DeviceInfo]:
    """The device, and as a GPU; if `whole`, with other widths of vectors, too."""
    others = {8, 16} if whole else set()
    widths = {device.vector_width, *others} if device.is_cpu else set()
    return [
        *(dataclasses.replace(device, vector_width=width) for width in sorted(widths)),
        dataclasses.replace(device, kind="gpu"),
    ]


def plans_of(op: str, graph: Graph, device: DeviceInfo, whole: bool) -> Iterator[tuple[str, Plan]]:
    for machine in machines(device, whole):
        own, tried = machine == device, 0
        for variant in ("flat", "channel", "broadcast") if own else ("flat",):
            try:
                plan = plan_for(graph, machine, {op.lower(): variant})
            except VariantError:
                continue
            if tried and not whole and op not in WRONG_ONCE:
                break
            tried += 1
            yield f"{op} {variant} as {machine.kind} of width {machine.vector_width}", plan


Programs = dict[Kernel, Program]


@pytest.fixture(scope="module")
def compiled() -> dict[object, Programs]:
    """What is compiled for a test and a device, many kernels in each program: one for each row takes several times as
    long."""
    return {}


@pytest.fixture(scope="module")
def whole(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--whole"))


def prepare(plans: list[Plan]) -> Programs:
    """Compiles for each machine of the plans; the programs live as long as they are held."""
    held: Programs = {}
    for machine in dict.fromkeys(plan.device for plan in plans):
        kernels = [c.kernel for plan in plans if plan.device == machine for c in plan.calls]
        held |= open_device(machine).compiler.prepare(kernels)
    return held


@pytest.mark.parametrize("op", FLOATS)
def test_a_hostile_lane_changes_no_other(
    device: DeviceInfo, op: str, compiled: dict[object, Programs], whole: bool
) -> None:
    if ("rows", device) not in compiled:
        compiled["rows", device] = prepare(
            [
                plan
                for op in FLOATS
                for graph, _ in cases_of(op)
                for _, plan in plans_of(op, graph, device, whole)
            ]
        )
    for graph, feeds in cases_of(op):
        for what, plan in plans_of(op, graph, device, whole):
            check(plan, graph, feeds, what)


def behind_a_convolution(op: str) -> tuple[Graph, dict[str, np.ndarray]]:
    """The row in the epilogue of a depthwise convolution with 1, which keeps values apart."""
    x = hostile_rows().reshape(1, -1, 4, 8)
    b = Builder()
    made = b.input(*x.shape)
    channels = x.shape[1]
    weights = b.constant(np.ones((channels, 1, 1, 1), np.float32))
    attrs = {"pads": (0,) * 4, "strides": (1, 1), "dilations": (1, 1)}
    made = b.node("Conv", made, weights, group=channels, **attrs)
    others = [b.constant(np.float32(2.0 + i)) for i in range(ROWS[op].arity - 1)]
    graph = b.graph(b.node(op, made, *others, **ATTRIBUTES.get(op, {})))
    fused = fuse_epilogue(graph)
    assert [node.op for node in fused.nodes] == ["Conv"]
    return fused, {fused.inputs[0]: x}


@pytest.mark.parametrize("op", STEPS)
def test_neither_does_one_in_an_epilogue(
    device: DeviceInfo, op: str, compiled: dict[object, Programs]
) -> None:
    if ("steps", device) not in compiled:
        plans = [plan_for(behind_a_convolution(op)[0], device, {}) for op in STEPS]
        with optimisation.without(device):  # what it makes of the rows is tried above
            compiled["steps", device] = prepare(plans)
    graph, feeds = behind_a_convolution(op)
    check(plan_for(graph, device, {}), graph, feeds, f"{op} behind a convolution")

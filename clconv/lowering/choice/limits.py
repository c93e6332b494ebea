"""How far kernels can index, checked in one place before anything is created or allocated.

Kernels count elements, pixels and work-items in 32-bit integers, with some room for a last vector or tile that reaches
over the end. What is larger is refused here, by a look at sizes alone: tables, packed weights and code come later.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from clconv.device.info import DeviceInfo
from clconv.errors import DeviceMemoryError, UnsupportedError
from clconv.graph.ir import Graph, TensorSpec
from clconv.lowering.model.arguments import Scalar, Table
from clconv.lowering.model.call import KernelCall
from clconv.lowering.model.kernel import Lowered, Problem, Signature

# One less than this many vectors, tiles or groups may follow the last element without an overflow.
_ROOM = 1 << 16
MOST_ELEMENTS = (1 << 31) - _ROOM
# Operations of one node: the fastest device that there is takes minutes, others days, and no kernel can be stopped.
MOST_WORK = 1 << 53
# Along an axis of padded images of filters; a work-item's rows may reach half as far again.
_FARTHEST = 1 << 30
# Which input of an operator holds its filters.
_FILTERS = {"Conv": 1, "ConvTranspose": 1, "DeformConv": 1, "ConvInteger": 1, "QLinearConv": 3}
_INTEGERS = {"int": (31, True), "uint": (32, False), "long": (63, True), "ulong": (64, False)}


def check_sizes(graph: Graph, device: DeviceInfo) -> None:
    """DeviceMemoryError if a value of the graph, as it is before lowering, cannot lie on the device."""
    named = {name for node in graph.nodes for name in (*node.inputs, *node.outputs) if name}
    for name in sorted(named):
        _check_value(name, graph.spec(name), device)


def check_work(problem: Problem) -> None:
    """UnsupportedError for a node that no device would ever get through, or whose windows reach further than kernels
    count."""
    _check_reach(problem)
    work = problem.cost.flops
    if work > MOST_WORK:
        raise UnsupportedError(
            f"node '{problem.node.name}' ({problem.node.op}): {float(work):.1e} operations would not end; clconv takes "
            f"{float(MOST_WORK):.0e} a node at most ({', '.join(map(str, _given(problem.inputs)))})"
        )


def check_lowered(problem: Problem, lowered: Lowered) -> None:
    """Raises DeviceMemoryError or UnsupportedError if the calls of a node count further than kernels can, or hold
    tables that the device cannot."""
    device, node = problem.device, problem.node
    for spec, name in zip(problem.outputs, filter(None, node.outputs), strict=False):
        _check_value(name, spec, device)
    for name, nbytes in lowered.scratch.items():
        if nbytes > 4 * MOST_ELEMENTS or nbytes > device.largest_allocation:
            raise DeviceMemoryError(
                f"node '{node.name}' ({node.op}): its scratch buffer '{name}' needs {nbytes:,} bytes, more than kernels "
                f"count ({4 * MOST_ELEMENTS:,}) or {device} allocates at once ({device.largest_allocation:,}); use a "
                f"smaller input or batch"
            )
    for call in lowered.calls:
        _check_call(call, problem)


def check_table(problem: Problem, entries: Mapping[str, int]) -> None:
    """DeviceMemoryError if tables of so many bytes each, which a lowering is about to make, are more than the device
    holds."""
    for name, nbytes in entries.items():
        if nbytes > problem.device.largest_allocation:
            raise DeviceMemoryError(
                f"node '{problem.node.name}' ({problem.node.op}): its table '{name}' would have {nbytes:,} bytes, "
                f"{problem.device} allocates at most {problem.device.largest_allocation:,} at once; use a smaller "
                f"input or batch"
            )


def _check_reach(problem: Problem) -> None:
    """Of nodes that move filters over an image: how far pads, strides and dilations take a pixel's coordinates."""
    index = _FILTERS.get(problem.node.op)
    if index is None:
        return
    at, sizes, taps = problem.node.attrs, problem.x.shape[2:], problem.input(index).shape[2:]
    reaches = []
    for i, size in enumerate(sizes):
        stride, dilation = at.strides[i], at.dilations[i]
        padded = size + at.pads[i] + at.pads[i + len(sizes)]
        if problem.node.op == "ConvTranspose":
            padded += stride * (size - 1)
        reaches.append(max(padded, dilation * taps[i], stride))
    if max(reaches, default=0) >= _FARTHEST or math.prod(reaches) >= 2 * _FARTHEST:
        raise UnsupportedError(
            f"node '{problem.node.name}' ({problem.node.op}): windows over padded images of {reaches} pixels are further "
            f"than kernels count, {_FARTHEST:,} along an axis ({', '.join(map(str, _given(problem.inputs)))}, {at})"
        )


def size_obstacle(spec: TensorSpec, device: DeviceInfo) -> str | None:
    """Why a value cannot lie on the device as its layout has it, in words."""
    if spec.nbytes > device.largest_allocation:
        return f"{spec} needs {spec.nbytes:,} bytes, {device} allocates at most {device.largest_allocation:,} at once"
    stored = math.prod(spec.layout.physical(spec.shape))
    if stored > MOST_ELEMENTS:
        return (
            f"{spec} has {stored:,} elements, kernels count up to {MOST_ELEMENTS:,} in one tensor"
        )
    return None


def layouts_that_fit(problem: Problem, signatures: Sequence[Signature]) -> Sequence[Signature]:
    """Those signatures that do not make a value too large for the device; all if every one does."""

    def fits(signature: Signature) -> bool:
        given = zip(problem.inputs, signature.inputs, strict=True)
        made = zip(problem.outputs, signature.outputs, strict=True)
        # A signature may name blocks for vectors, which lie plain.
        laid_out = [s.with_layout(at) for s, at in (*given, *made) if s is not None and s.rank > 1]
        return all(size_obstacle(spec, problem.device) is None for spec in laid_out)

    return [signature for signature in signatures if fits(signature)] or signatures


def _check_value(name: str, spec: TensorSpec, device: DeviceInfo) -> None:
    obstacle = size_obstacle(spec, device)
    if obstacle is not None:
        raise DeviceMemoryError(f"value '{name}' {obstacle}; use a smaller input or batch")


def _check_call(call: KernelCall, problem: Problem) -> None:
    label = f"node '{call.node}' ({problem.node.op})"
    if max(call.global_size, default=0) > MOST_ELEMENTS:
        raise DeviceMemoryError(
            f"{label}: {call.global_size} work-items are more than the {MOST_ELEMENTS:,} that kernels count along an "
            f"axis; use a smaller input or batch"
        )
    if problem.device.is_cpu and math.prod(call.global_size) > MOST_ELEMENTS:
        raise DeviceMemoryError(  # the workers of a persistent launch count them all
            f"{label}: {call.global_size} work-items are more than the {MOST_ELEMENTS:,} that a launch counts; use a "
            f"smaller input or batch"
        )
    tables: dict[str, int] = {}
    for name, argument in call.arguments:
        if isinstance(argument, Table):
            tables[name] = argument.array.nbytes
        if isinstance(argument, Scalar) and argument.ctype in _INTEGERS:
            bits, signed = _INTEGERS[argument.ctype]
            if not -(1 << bits) * signed <= argument.value < 1 << bits:
                raise UnsupportedError(
                    f"{label}: {name} {argument.value:,} does not fit the {argument.ctype} that kernels count in "
                    f"({', '.join(map(str, _given(problem.inputs)))})"
                )
    check_table(problem, tables)


def _given(specs: Iterable[TensorSpec | None]) -> list[TensorSpec]:
    return [spec for spec in specs if spec is not None]

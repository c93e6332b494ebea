"""The data that lowering produces: kernels, their arguments, calls, and variants that make them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from clconv.device.findings import NOTHING_FOUND, Findings
from clconv.device.info import DeviceInfo
from clconv.device.options import PlanOptions
from clconv.errors import ShapeError
from clconv.graph.ir import PLAIN, Constant, DType, Layout, Node, TensorSpec
from clconv.graph.ops.base import Cost
from clconv.lowering.model.arguments import (
    Argument,
    Packed,
    PackedValue,
    Packing,
    Read,
    Write,
    layout_packing,
)
from clconv.lowering.model.call import Kernel, KernelCall
from clconv.lowering.model.moments import Moments
from clconv.records import record

AUTO = "auto"


@record(frozen=True)
class Problem:
    """What a variant sees: the node, its tensors, the constants among them, the device.

    Absent inputs are None. Layouts are plain while variants are chosen, and the chosen ones in lower(). options:
    what was asked for, precision and forced variants among it. other_sizes: whether the same kernels are to serve other
    sizes of the inputs, and should not depend on these. leaves: whether lower() is to leave Moments of the first
    output, which only variants are asked for that can. moments: those of the first input, for a variant that takes them.
    """

    node: Node
    inputs: tuple[TensorSpec | None, ...]
    outputs: tuple[TensorSpec, ...]
    constants: Mapping[str, Constant]
    device: DeviceInfo
    parameters: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    cost: Cost = Cost()
    findings: Findings = NOTHING_FOUND
    options: PlanOptions = PlanOptions()
    other_sizes: bool = False
    leaves: bool = False
    moments: Moments | None = None

    @property
    def x(self) -> TensorSpec:
        """The first input."""
        return self.input(0)

    @property
    def y(self) -> TensorSpec:
        """The first output."""
        return self.outputs[0]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to compute: no output has an element."""
        return not any(spec.size for spec in self.outputs)

    def input(self, index: int) -> TensorSpec:
        found = self.inputs[index] if index < len(self.inputs) else None
        if found is None:
            raise ShapeError(f"node '{self.node.name}' ({self.node.op}): input {index} is missing")
        return found

    def has(self, index: int) -> bool:
        return index < len(self.node.op_inputs) and self.inputs[index] is not None

    def constant(self, index: int) -> np.ndarray | None:
        """The value of an input if it is a constant."""
        name = self.node.inputs[index] if index < len(self.node.inputs) else ""
        found = self.constants.get(name)
        return None if found is None else found.array

    def is_constant(self, index: int) -> bool:
        return index < len(self.node.inputs) and self.node.inputs[index] in self.constants

    def argument(self, index: int) -> Argument:
        """The buffer of an input, constant or not, in the layout of its spec."""
        name = self.node.inputs[index]
        if name not in self.constants:
            return Read(name)
        return Packed(name, layout_packing(self.input(index).layout))

    def packed(self, index: int, packing: Packing) -> Argument:
        """An input as a packing makes it: once if it is a constant, else by a launch before the one that reads it."""
        name = self.node.inputs[index]
        if name in self.constants:
            return Packed(name, packing)
        return PackedValue(name, self.input(index), packing)

    def laid_out(self, signature: Signature) -> Problem:
        """The problem as lower() sees it."""
        inputs = zip(self.inputs, signature.inputs, strict=True)
        outputs = zip(self.outputs, signature.outputs, strict=True)
        return dataclasses.replace(
            self,
            inputs=tuple(None if spec is None else spec.with_layout(at) for spec, at in inputs),
            outputs=tuple(spec.with_layout(at) for spec, at in outputs),
        )

    def call(
        self,
        kernel: Kernel,
        arguments: Sequence[tuple[str, Argument]],
        global_size: Sequence[int],
        local_size: Sequence[int] | None = None,
        cost: Cost | None = None,
    ) -> KernelCall:
        """A KernelCall of this node. Without a local size CPUs get work-groups of one item, because PoCL
        compiles anew for each local size; elsewhere the runtime chooses."""
        sizes = tuple(int(s) for s in global_size)
        local = tuple(local_size) if local_size else None
        halves = tuple(name for name, argument in arguments if self._is_half(argument))
        if halves:
            kernel = kernel.storing_half(halves)
        if local is None and self.device.is_cpu:
            local = (1,) * len(sizes)
        return KernelCall(
            self.node.name,
            kernel,
            tuple(arguments),
            sizes,
            local,
            self.cost if cost is None else cost,
        )

    def _is_half(self, argument: Argument) -> bool:
        """Whether a kernel finds float16 elements in a buffer: a value's, or what packing made."""
        if isinstance(argument, PackedValue):
            return (argument.packing.dtype or argument.spec.dtype) is DType.FLOAT16
        if isinstance(argument, Packed):
            kept = argument.packing.dtype is None
            return kept and self.constants[argument.constant].spec.dtype is DType.FLOAT16
        if not isinstance(argument, Read | Write):
            return False
        named = [name for name in self.node.outputs if name]
        specs = dict(zip((*self.node.inputs, *named), (*self.inputs, *self.outputs), strict=True))
        spec = specs.get(argument.value)
        return spec is not None and spec.dtype is DType.FLOAT16


@record(frozen=True)
class Signature:
    """Layouts that a variant reads its inputs in and writes its outputs in, one for each."""

    inputs: tuple[Layout, ...]
    outputs: tuple[Layout, ...]


@record(frozen=True)
class Placement:
    """A value that could lie inside another's memory, which saves copying it.

    value: the one that would own no memory. container: the value it would lie in, `offset` bytes behind
    its beginning. calls: the copy, if the placement is refused.
    """

    value: str
    container: str
    offset: int
    calls: tuple[KernelCall, ...]


@record(frozen=True)
class Lowered:
    """A node as kernel calls. scratch: buffers of its own, bytes by name. aliases: outputs that are
    just another view of an input's memory. placements: copies that become needless where a value is placed inside another.
    moments: of the first output, where they were asked for; their buffer is among scratch. turned: the filters that the first
    output is, turned, in a packing that does no more; calls are left out where packings, which can turn them as well, are all that reads it."""

    calls: tuple[KernelCall, ...] = ()
    scratch: Mapping[str, int] = dataclasses.field(default_factory=dict)
    aliases: Mapping[str, str] = dataclasses.field(default_factory=dict)
    placements: tuple[Placement, ...] = ()
    moments: Moments | None = None
    turned: PackedValue | None = None


def plain_signature(problem: Problem) -> list[Signature]:
    return [Signature((PLAIN,) * len(problem.inputs), (PLAIN,) * len(problem.outputs))]


@record(frozen=True)
class Variant:
    """One way to run an operator.

    applies: None if it can run the problem, else the condition that fails, in words.
    signatures: layouts it can work in, preferred first.
    lower: the kernel calls, for the layouts in the problem's specs.
    estimate: seconds a run may take, from sizes alone; only its ratio to the other variants' matters. The
        variants of an operator that have one are ordered by it.
    rounds: how often a work-item goes through its loops, of variants for which that grows with a line's length, a
        window or the like; counted where the kernels are those for GPUs.
    mixes: what the variant lets meet although no term of a plain sum joins it, in words; None where nothing does. Then an
        outlier costs others their digits, and NaN or infinity spreads; precision="strict" rules it out.
    space: tunable parameters and their legal values, default first. AUTO stands for what the variant computes from
        the sizes; Problem.parameters holds only what differs from the default.
    leaves_moments, takes_moments: whether it can; see Problem.
    """

    op: str
    name: str
    applies: Callable[[Problem], str | None]
    lower: Callable[[Problem], Lowered]
    signatures: Callable[[Problem], Sequence[Signature]] = plain_signature
    estimate: Callable[[Problem], float] | None = None
    space: Mapping[str, tuple[Any, ...]] = dataclasses.field(default_factory=dict)
    rounds: Callable[[Problem], int] | None = None
    mixes: Callable[[Problem], str | None] | None = None
    leaves_moments: bool = False
    takes_moments: bool = False

    def obstacle(self, problem: Problem) -> str | None:
        """None if it can run the problem on the problem's device, else what is in the way, in words."""
        failed, most = self.applies(problem), problem.device.most_rounds
        if failed is None and problem.options.precision == "strict" and self.mixes is not None:
            mixed = self.mixes(problem)
            failed = mixed and f"{mixed}, which precision 'strict' rules out"
        if failed is not None or not most or self.rounds is None:
            return failed
        rounds = self.rounds(problem)
        if rounds <= most:
            return None
        return (
            f"needs {rounds:,} rounds of a work-item's loops, which the device ends after {most:,}"
        )


VARIANTS: dict[str, list[Variant]] = {}


def register(*variants: Variant) -> None:
    """Adds variants of an operator, best first; the last of each operator must always apply."""
    for variant in variants:
        VARIANTS.setdefault(variant.op, []).append(variant)


def always(problem: Problem) -> None:
    """applies() of a variant that runs anything."""
    return

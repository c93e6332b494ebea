"""A specialised Graph becomes kernel calls: variants, then layouts, then each node lowered in order."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from clconv.device.findings import NOTHING_FOUND, Findings
from clconv.device.info import DeviceInfo
from clconv.device.options import PlanOptions
from clconv.errors import Guard, UnsupportedError
from clconv.graph.evaluate import node_cost
from clconv.graph.ir import PLAIN, Graph, Layout, Node, TensorSpec
from clconv.lowering.choice.layout import choose_signatures, is_free
from clconv.lowering.choice.limits import check_lowered, check_sizes, check_work, layouts_that_fit
from clconv.lowering.choice.moments import takers_of_moments
from clconv.lowering.choice.select import check_forced, select
from clconv.lowering.copies.reorder import reorder_call
from clconv.lowering.model.arguments import PackedValue, Read, Scalar, Write
from clconv.lowering.model.call import KernelCall
from clconv.lowering.model.kernel import Lowered, Placement, Problem, Signature
from clconv.lowering.model.lowered import Choice
from clconv.lowering.model.lowered import LoweredGraph as LoweredGraph
from clconv.lowering.model.moments import Moments
from clconv.lowering.shared.packing import Packer
from clconv.lowering.variants import VARIANTS as VARIANTS  # all of them are registered by this


def lower_graph(
    graph: Graph,
    device: DeviceInfo,
    options: PlanOptions = PlanOptions(),
    findings: Findings = NOTHING_FOUND,
    alternatives: bool = False,
    known: Mapping[str, str] | None = None,
) -> LoweredGraph:
    """Kernel calls for a graph whose specs are all known.

    options: precision and forced variants are read here. findings: what is known of the device from earlier runs; variants that are not forced respect it.
    alternatives: whether to find out which calls other sizes may make. known: see select, by node.
    Raises VariantError for a forced variant that cannot apply, UnsupportedError for a node that no variant
    takes on this device or that would not end, DeviceMemoryError for a value that does not fit or is larger than
    kernels count.
    """
    check_forced(options.forced)
    check_sizes(graph, device)
    # A step of training mostly stays with one size, for which its kernels are made; another one has most of them again.
    open_sizes = (alternatives or bool(known)) and not graph.updates
    problems = [
        problem_of(graph, node, device, options, findings, open_sizes) for node in graph.nodes
    ]
    for problem in problems:
        check_work(problem)
    known = known or {}
    choices = []
    for problem in problems:
        name = problem.node.name
        with Guard("the choice of its kernel", name, problem.node.op):
            choices.append(select(problem, known.get(name, "")))
    problems = [
        dataclasses.replace(problem, parameters=dict(choice.parameters))
        if choice.parameters
        else problem
        for problem, choice in zip(problems, choices, strict=True)
    ]
    signatures = {}
    for i, (choice, problem) in enumerate(zip(choices, problems, strict=True)):
        with Guard("the choice of its layouts", problem.node.name, problem.node.op):
            signatures[i] = layouts_that_fit(problem, choice.variant.signatures(problem))
    chosen = choose_signatures(graph, signatures)
    takers = {} if open_sizes else takers_of_moments(graph, choices, chosen)
    return _Lowering(graph, problems, choices, chosen, device, takers, alternatives).run()


def problem_of(
    graph: Graph,
    node: Node,
    device: DeviceInfo,
    options: PlanOptions = PlanOptions(),
    findings: Findings = NOTHING_FOUND,
    other_sizes: bool = False,
) -> Problem:
    """What the variants of a node see while one of them is chosen: all layouts plain."""
    return Problem(
        node,
        tuple(graph.spec(n) if n else None for n in node.inputs),
        tuple(graph.specs[n] for n in node.outputs if n),
        graph.constants,
        device,
        cost=node_cost(node, graph),
        findings=findings,
        options=options,
        other_sizes=other_sizes,
    )


_INTEGERS: dict[str, Any] = {
    "int": np.iinfo(np.int32),
    "uint": np.iinfo(np.uint32),
    "long": np.iinfo(np.int64),
    "ulong": np.iinfo(np.uint64),
}


def _check_numbers(node: Node, call: KernelCall) -> None:
    """UnsupportedError for a number that the kernel's argument of that type cannot hold."""
    for name, argument in call.arguments:
        if isinstance(argument, Scalar) and argument.ctype in _INTEGERS:
            limits = _INTEGERS[argument.ctype]
            if not limits.min <= argument.value <= limits.max:
                raise UnsupportedError(
                    f"node '{node.name}' ({node.op}): {name} is {argument.value:,}; its kernel counts to "
                    f"{limits.max:,}"
                )


class _Lowering:
    def __init__(
        self,
        graph: Graph,
        problems: list[Problem],
        choices: list[Choice],
        signatures: Mapping[int, Signature],
        device: DeviceInfo,
        takers: Mapping[int, int],
        alternatives: bool,
    ) -> None:
        self.graph, self.problems, self.choices = graph, problems, choices
        self.signatures, self.device, self.takers = signatures, device, takers
        self.moments: dict[int, Moments | None] = {}  # by the node that takes them
        self.calls: list[KernelCall] = []
        self.specs: dict[str, TensorSpec] = {n: graph.specs[n] for n in graph.inputs}
        self.scratch: dict[str, int] = {}
        self.aliases: dict[str, str] = {}
        self.placed_inside: dict[str, tuple[str, int]] = {}
        self.converted: dict[tuple[str, Layout], str] = {}
        self.ends: list[int] = []
        self.unmade: dict[str, tuple[KernelCall, ...]] = {}  # the calls for what nobody reads yet
        self.late: set[str] = set()
        self.alternatives: dict[str, tuple[KernelCall, ...]] | None = {} if alternatives else None
        self.packer = Packer(device)

    def run(self) -> LoweredGraph:
        graph = self.graph
        for index, problem in enumerate(self.problems):
            taker, moments = self.takers.get(index), self.moments.get(index)
            problem = dataclasses.replace(problem, leaves=taker is not None, moments=moments)
            with Guard("its lowering", problem.node.name, problem.node.op):
                lowered = self._lower(problem, self.choices[index], self.signatures[index])
            if taker is not None:
                self.moments[taker] = lowered.moments
            self.ends.append(len(self.calls))
        stored = {
            name: name if name in graph.constants else self._in_layout(name, PLAIN)
            for name in graph.outputs
        }
        chosen = {p.node.name: c for p, c in zip(self.problems, self.choices, strict=True)}
        return LoweredGraph(
            tuple(self.calls),
            self.specs,
            self.scratch,
            self.aliases,
            stored,
            chosen,
            tuple(self.ends),
            self.placed_inside,
            self.alternatives or {},
            frozenset(self.late),
        )

    def _lower(self, problem: Problem, choice: Choice, signature: Signature) -> Lowered:
        node = problem.node
        inputs = tuple(
            name if not name or name in self.graph.constants else self._in_layout(name, layout)
            for name, layout in zip(node.inputs, signature.inputs, strict=True)
        )
        named = [n for n in node.outputs if n]
        renamed = dataclasses.replace(problem, node=dataclasses.replace(node, inputs=inputs))
        laid_out = renamed.laid_out(signature)
        self.specs.update(zip(named, laid_out.outputs, strict=True))
        if laid_out.is_empty:
            return Lowered()  # nothing to compute
        if self.alternatives is not None:
            others = [a for a in choice.alternatives if signature in a.signatures(problem)]
            made = (a.lower(dataclasses.replace(laid_out, parameters={})).calls for a in others)
            packed, _ = Packer(self.device).resolved(
                itertools.chain(*made), self._unused, self.specs
            )
            self.alternatives[node.name] = packed
        lowered = self._packed(self._own_scratch(choice.variant.lower(laid_out)))
        check_lowered(laid_out, lowered)
        calls = [*lowered.calls]
        for placement in lowered.placements:
            if self._accepts(placement):
                self.placed_inside[placement.value] = (placement.container, placement.offset)
            else:
                calls += placement.calls
        for call in calls:
            _check_numbers(node, call)
        # OpenCL does not allow an index space without items.
        calls = [call for call in calls if all(call.global_size)]
        if lowered.turned is not None and named[0] not in self.graph.outputs:
            self.packer.turned[named[0]] = lowered.turned
            self.unmade[named[0]] = tuple(calls)
            self.late.add(named[0])
        else:
            self._add(calls)
        self.scratch.update(lowered.scratch)
        self.aliases.update(lowered.aliases)
        return lowered

    def _add(self, calls: Iterable[KernelCall]) -> None:
        for call in calls:
            for name in call.reads:
                self.calls.extend(self.unmade.pop(name, ()))
            self.calls.append(call)

    def _accepts(self, placement: Placement) -> bool:
        """Whether the value owns its memory so far, so that it can be placed, and lies where a buffer may
        begin; the container must have memory of its own too."""
        constants, taken = self.graph.constants, (self.aliases, self.placed_inside)
        return (
            placement.value not in self.graph.inputs
            and placement.value not in constants
            and placement.container not in constants
            and not any(placement.value in names for names in taken)
            and placement.offset % self.device.base_alignment == 0
        )

    def _packed(self, lowered: Lowered) -> Lowered:
        """With launches that pack what only a run brings."""
        calls, scratch = self.packer.resolved(lowered.calls, self._unused, self.specs)
        return dataclasses.replace(lowered, calls=calls, scratch={**lowered.scratch, **scratch})

    def _own_scratch(self, lowered: Lowered) -> Lowered:
        """Scratch buffers under names that are no value's, whatever the values are called."""
        renamed = {name: self._unused(name) for name in lowered.scratch}
        if all(old == new for old, new in renamed.items()):
            return lowered
        calls = tuple(
            dataclasses.replace(
                call,
                arguments=tuple(
                    (name, dataclasses.replace(a, value=renamed[a.value]))
                    if isinstance(a, Read | Write | PackedValue) and a.value in renamed
                    else (name, a)
                    for name, a in call.arguments
                ),
            )
            for call in lowered.calls
        )
        scratch = {renamed[name]: nbytes for name, nbytes in lowered.scratch.items()}
        moments = lowered.moments
        if moments is not None:
            moments = dataclasses.replace(moments, name=renamed[moments.name])
        return dataclasses.replace(lowered, calls=calls, scratch=scratch, moments=moments)

    def _unused(self, name: str) -> str:
        """The name, with marks behind it until neither graph nor lowering has it."""
        taken = (self.graph.specs, self.graph.constants, self.specs, self.scratch)
        while any(name in names for names in taken):
            name += "'"
        return name

    def _in_layout(self, name: str, layout: Layout) -> str:
        """The value's name in a layout, after adding the conversion if it is not there yet."""
        spec = self.specs[name]
        if spec.layout == layout:
            return name
        if not is_free(spec, spec.layout, layout) and PLAIN not in (spec.layout, layout):
            return self._in_layout(self._in_layout(name, PLAIN), layout)  # a kernel does one half
        key = (name, layout)
        if key not in self.converted:
            target = self._unused(f"{name}@{layout}")
            self.converted[key] = target
            self.specs[target] = spec.with_layout(layout)
            if not spec.size:
                pass
            elif is_free(spec, spec.layout, layout):
                self.aliases[target] = name
            else:
                self._add([reorder_call(name, target, spec, self.specs[target])])
        return self.converted[key]

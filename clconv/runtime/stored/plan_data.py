"""A bound plan as plain data: numbers, texts and lists, to be written as JSON, and blobs: tables, programs, packed weights.

Values have no names any more but those that a run is given or gives back; all others are places in the arenas. Read back by
stored_plan.py.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from clconv.device.cores import usable_cores
from clconv.lowering.model.arguments import (
    Addresses,
    FunctionAddress,
    Local,
    Packed,
    Read,
    Scalar,
    State,
    Table,
    Write,
)
from clconv.lowering.model.call import Kernel, KernelCall
from clconv.planning.memory import Slot
from clconv.planning.movable import Site, in_place
from clconv.planning.persistent import pieces_of
from clconv.planning.plan import Plan
from clconv.runtime.bound import BoundPlan
from clconv.runtime.constants import DeviceConstants, Held, packed_arguments
from clconv.runtime.opencl import Program
from clconv.runtime.stored.stored_plan import Data, spec_data
from clconv.runtime.stored.stored_weights import WEIGHT
from clconv.runtime.words import words_and_places
from clconv.store.container import Blob


class NotStorable(Exception):
    """Why a plan cannot be written, in words."""


class PlanPacker:
    """Collects what several bound plans need. blobs: tables and packed weights, named by what they hold. programs: each with
    its kernels as (symbol, template, how many it is made of), by source."""

    def __init__(self) -> None:
        self.blobs: dict[str, Blob] = {}
        self.programs: dict[str, tuple[Program, list[tuple[str, str, int]]]] = {}
        self._names: dict[int, tuple[Held, str]] = {}  # by identity; kept so that it stays its own

    def data(self, bound: BoundPlan) -> Data:
        """The plan of a bound plan. Raises NotStorable."""
        plan = bound.plan
        graph, lowered = plan.graph, plan.lowered
        if plan.cut is not None:
            raise NotStorable("what it does depends on what its inputs hold")
        if graph.state or bound.guarded:
            raise NotStorable("it has state, or guards around its values")
        if "forgets-what-is-initialised" in plan.device.quirks:
            raise NotStorable("the device is a debugger")
        if any(name in graph.constants for name in (*graph.fed, *lowered.stored.values())):
            raise NotStorable("one of its outputs is a constant")
        self._name_weights(bound)
        split = plan.batch_split
        values = [*graph.fed, *(lowered.stored[name] for name in graph.returned)]
        return {
            "fed": {name: spec_data(graph.specs[name]) for name in graph.fed},
            "stored": {name: lowered.stored[name] for name in graph.returned},
            "specs": {name: spec_data(lowered.specs[name]) for name in values},
            "slots": {name: _slot_data(bound.slot(name)) for name in values},
            "arenas": list(plan.memory.arenas),
            "live": plan.live_bytes,
            "parts": [self._kernel(part, bound) for part in plan.parts],
            "launches": [self._launch(call, bound) for call in plan.launches],
            "in_place": _in_place_data(plan),
            "split": None
            if split is None
            else {"count": split.count, "batch": split.batch, "inputs": sorted(split.inputs)},
        }

    def _kernel(self, kernel: Kernel, bound: BoundPlan) -> str:
        """Its symbol; its program is to be stored."""
        program = bound.programs[kernel]
        _, kernels = self.programs.setdefault(program.source, (program, []))
        listed = (kernel.symbol, kernel.template, pieces_of(kernel))
        if listed not in kernels:
            kernels.append(listed)
        return kernel.symbol

    def _launch(self, call: KernelCall, bound: BoundPlan) -> Data:
        return {
            "node": call.node,
            "symbol": self._kernel(call.kernel, bound),
            "arguments": [[name, *self._argument(a, bound)] for name, a in call.arguments],
            "global": [int(size) for size in call.global_size],
            "local": None if call.local_size is None else [int(s) for s in call.local_size],
        }

    def _argument(self, argument: Any, bound: BoundPlan) -> list[Any]:
        match argument:
            case Read(value, offset) | Write(value, offset):
                return ["place", *_slot_data(bound.slot(value, offset))]
            case Packed(constant, packing):
                held = bound.constants.get(bound.plan.graph.constants[constant], packing)
                return ["weight", self._names[id(held)][1]]
            case Scalar(value, ctype):
                return ["scalar", np.asarray(value).item(), ctype]
            case Local(nbytes):
                return ["local", int(nbytes)]
            case Table(array):
                return ["table", self._table(array), str(array.dtype), list(array.shape)]
            case State(nbytes):
                return ["state", int(nbytes)]
            case Addresses(arguments):
                return ["words", *self._words(arguments, bound)]
            case FunctionAddress(part):
                return ["function", part.symbol]
        raise NotStorable(f"it has an argument of a kind that is not stored: {argument}")

    def _words(self, arguments: tuple[Any, ...], bound: BoundPlan) -> list[Any]:
        words, places, others = words_and_places(arguments, bound)
        placed = np.array([(i, slot.arena) for i, slot in places], np.int64).reshape(-1, 2)
        buffers = [[i, self._argument(argument, bound)] for i, argument in others]
        return [self._table(words), len(words), self._table(placed), len(placed), buffers]

    def _table(self, array: np.ndarray) -> str:
        return self.named("table", np.ascontiguousarray(array).tobytes())

    def named(self, kind: str, content: bytes) -> str:
        """The name of a blob with this content."""
        name = f"{kind}-{hashlib.sha256(content).hexdigest()}"
        self.blobs[name] = Blob(name, len(content), lambda: content)
        return name

    def _name_weights(self, bound: BoundPlan) -> None:
        """Makes a blob of each that is new, several at a time: a checksum of hundreds of megabytes is long in coming."""
        constants, given = bound.constants, bound.plan.graph.constants
        packed = packed_arguments(bound.plan.calls)
        found = {id(h): h for h in (constants.get(given[a.constant], a.packing) for a in packed)}
        new = [held for key, held in found.items() if key not in self._names]
        name = functools.partial(_weight_name, constants=constants)
        try:
            with ThreadPoolExecutor(usable_cores(), "clconv checksums") as pool:
                names = [*pool.map(name, new)]
        except RuntimeError:  # the interpreter ends, and starts no more threads
            names = [*map(name, new)]
        for held, one in zip(new, names, strict=True):
            self._names[id(held)] = held, one
            content = functools.partial(constants.content, held)
            self.blobs[one] = Blob(one, held.nbytes, content)


def _weight_name(held: Held, constants: DeviceConstants) -> str:
    return f"{WEIGHT}{hashlib.sha256(constants.content(held).data).hexdigest()}"


def _in_place_data(plan: Plan) -> Data:
    found = in_place(plan)

    def listed(by_name: Mapping[str, Sequence[Site]]) -> Data:
        return {name: [list(site) for site in sites] for name, sites in by_name.items()}

    return {
        "inputs": listed(found.inputs),
        "outputs": listed(found.outputs),
        "echoes": {name: list(part) for name, part in found.echoes.items()},
    }


def _slot_data(slot: Slot) -> list[int]:
    return [int(slot.arena), int(slot.offset), int(slot.nbytes)]

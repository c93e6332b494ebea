"""Runs of a plan whose inputs and outputs lie in arrays of the caller's."""

from __future__ import annotations

import atexit
import collections
import contextlib
import weakref
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from clconv.errors import ForkError
from clconv.graph.ir import TensorSpec
from clconv.lowering.model.arguments import Addresses, Argument, State, Table
from clconv.lowering.model.call import KernelCall
from clconv.planning.movable import Movable, Site, movable
from clconv.planning.plan import Plan
from clconv.runtime.opencl import (
    DeviceArray,
    Flight,
    Reused,
    extent_of,
    host_memory,
    part_of,
    set_argument,
)
from clconv.runtime.process import opencl

if TYPE_CHECKING:
    from clconv.runtime.bound import BoundPlan

# Bytes of an array of the host's from which a CPU's kernels read or write it in place, rather than that it is copied.
WORTH = 128 << 10
# Bytes that it begins at a multiple of, as all that NumPy makes do: these kernels read plain tensors at any element.
ALIGNMENT = 16
_IN_FLIGHT = 8  # runs that may be enqueued and not over


class Moved:
    """Launches of a plan whose inputs and outputs lie elsewhere at each run. Whoever calls holds the plan's lock.

    Addresses in tables cannot change while a launch reads them: then there are two sets, which take turns.
    """

    def __init__(self, bound: BoundPlan) -> None:
        self._movable = movable(bound.plan)
        in_tables = any(s.word is not None for s in _sites(self._movable))
        self._lanes = [_Lane(bound, self._movable) for _ in range(2 if in_tables else 1)]
        self.arrays = Reused(bound.device)
        # Of the outputs that a run gives back, of the whole batch.
        self.specs = _returned_specs(bound.plan)
        self._flights: collections.deque[Flight] = collections.deque()
        in_flight.add(self)

    def run(
        self,
        bound: BoundPlan,
        feeds: Mapping[str, DeviceArray],
        targets: Mapping[str, DeviceArray],
        kept: Sequence[Any] = (),
    ) -> Flight:
        """Enqueues a run; the outputs that are asked for are in their targets when the flight is over. Those overlap
        neither each other nor an input. kept: what must live until then."""
        plan, queue = bound.plan, bound.queue
        self._prune()
        lane = self._lanes[0]
        self._lanes.append(self._lanes.pop(0))
        if lane.in_tables and lane.flight is not None:
            lane.flight.ended()
        at: dict[str, DeviceArray] = {}
        for name in plan.graph.fed:
            array = feeds[name]
            if name in self._movable.inputs and lane.takes(name, array):
                at[name] = array
            else:
                queue.copy(bound.buffer(name), array.handle, array.nbytes, 0, array.offset)
        later = []
        for name, target in targets.items():
            root = self._movable.outputs.get(name)
            if root is not None and root not in at and lane.takes(root, target):
                at[root] = target
            else:
                later.append((name, target))
        used = lane.place(bound, at)  # kernels do not keep their arguments until they are launched
        queue.run(lane.ahead, waits=False)
        last = queue.launch(*lane.launches[-1]) if lane.launches else None
        del used
        for name, target in later:
            last = _copy_output(bound, name, target, at) or last
        arrays = [*feeds.values(), *targets.values()]
        flight = Flight(queue.event(last), [*kept, *(array.memory for array in arrays)])
        lane.flight = flight
        self._flights.append(flight)
        return flight

    def settle(self) -> None:
        """Waits for all runs; what was wrong with one is told where its results are asked for."""
        while self._flights:
            self._flights[0].ended()
            self._flights.popleft()

    def _prune(self) -> None:
        while self._flights and self._flights[0].is_over:
            self._flights.popleft()
        while len(self._flights) >= _IN_FLIGHT:
            self._flights[0].ended()
            self._flights.popleft()

    def end(self) -> None:
        """Waits for all runs before their memory goes; never raises. After a fork there is nothing to wait for."""
        with contextlib.suppress(ForkError):
            opencl.check()
            self.settle()


def _returned_specs(plan: Plan) -> dict[str, TensorSpec]:
    found = {}
    for name in plan.graph.returned:
        stored = plan.lowered.stored[name]
        constant = plan.graph.constants.get(stored)
        found[name] = plan.lowered.specs[stored] if constant is None else constant.spec
    return found if plan.batch_split is None else plan.batch_split.whole(found)


in_flight: weakref.WeakSet[Moved] = weakref.WeakSet()


def _end_all() -> None:
    """Before the interpreter ends, and the memory with it."""
    for moved in list(in_flight):
        moved.end()


atexit.register(_end_all)


def _copy_output(
    bound: BoundPlan, name: str, target: DeviceArray, at: Mapping[str, DeviceArray]
) -> Any:
    """Copies an output that was computed in the plan's own memory, or elsewhere, to where it is wanted. Returns the event,
    None if what was enqueued is over."""
    plan, queue = bound.plan, bound.queue
    stored = plan.lowered.stored[name]
    if stored in plan.graph.constants:
        array = np.ascontiguousarray(plan.graph.constants[stored].array)
        if array.nbytes:
            queue.write(target.handle, array, wait=True, at=target.offset)
        return None
    root, begin = plan.lowered.place(stored)
    if root in at:
        source, from_byte = at[root].handle, at[root].offset + begin
    else:
        source, from_byte = bound.buffer(stored), 0
    return queue.copy(target.handle, source, target.nbytes, target.offset, from_byte)


def is_worth_moving(nbytes: int) -> bool:
    """Whether an array of so many bytes is."""
    return nbytes >= WORTH


def _sites(found: Movable) -> list[Site]:
    return [site for sites in found.sites.values() for site in sites]


class _Lane:
    """Launches with tables of their own, and where their inputs and outputs lie."""

    def __init__(self, bound: BoundPlan, found: Movable) -> None:
        self._bound_alignment = bound.device.info.base_alignment
        self._alone = len(bound.device.context.devices) == 1
        self._is_cpu = bound.device.info.kind == "cpu"
        self._sites = found.sites
        self.flight: Flight | None = None
        self.launches = []
        self._tables: dict[tuple[int, int], Any] = {}
        self._held = []
        for index, (launch, held) in enumerate(bound.bind(bound.plan.launches)):
            self.launches.append(launch)
            self._held.append(held)
            places = _table_places(bound.plan.launches[index])
            for position, place in places.items():
                self._tables[index, position] = held[place]
        self.ahead = bound.queue.ready(self.launches[:-1])  # of the last one the event is wanted
        self.in_tables = any(s.word is not None for s in _sites(found))
        self._own: dict[str, int] = {}  # where they begin in the plan's own memory
        if self.in_tables:
            own = bound.device.addresses([bound.buffer(root) for root in found.sites])
            self._own = {root: int(at) for root, at in zip(found.sites, own, strict=True)}
        self._elsewhere: set[str] = set()

    def takes(self, root: str, array: DeviceArray) -> bool:
        """Whether the kernels can read or write the array where it is."""
        sites = self._sites[root]
        if not array.nbytes:
            return not sites
        if self._is_cpu and any(s.word is None for s in sites) and self._lies_skewed(array):
            return False
        for site in sites:
            if site.word is not None:
                if not self._alone or array.address() % ALIGNMENT:
                    return False
            elif self._part(array, site) is None:
                return False
        return True

    def _lies_skewed(self, array: DeviceArray) -> bool:
        """Whether it begins in the host's memory where no vector may."""
        extent = extent_of(array.handle, array.offset, array.nbytes)
        return extent.handle == 0 and extent.begin % ALIGNMENT != 0

    def _part(self, array: DeviceArray, site: Site) -> Any | None:
        begin = array.offset + site.offset
        return part_of(array.handle, begin, array.nbytes - site.offset, self._bound_alignment)

    def place(self, bound: BoundPlan, at: Mapping[str, DeviceArray]) -> list[Any]:
        """Sets the arguments: what is in `at` there, everything else in the plan's own memory. Returns the buffers that
        kernels were given, to be kept until they are launched."""
        changed, given = {*at, *self._elsewhere}, []
        self._elsewhere = changed  # also if setting them fails half way
        for root in changed:
            for site in self._sites[root]:
                if site.word is not None:
                    begin = at[root].address() if root in at else self._own[root]
                    self._write_word(bound, site, begin + site.offset)
                else:
                    part = (
                        self._part(at[root], site)
                        if root in at
                        else bound.buffer(root, site.offset)
                    )
                    set_argument(self.launches[site.launch][0], site.position, part)
                    given.append(part)
        self._elsewhere = set(at)
        return given

    def _write_word(self, bound: BoundPlan, site: Site, address: int) -> None:
        table = self._tables[site.launch, site.position]
        memory, word = host_memory(table), np.array([address], np.uint64)
        assert site.word is not None
        if memory is None:
            bound.queue.write_words(table, word, site.word * 8)
        else:
            memory[site.word * 8 : site.word * 8 + 8] = word.view(np.uint8)


def _table_places(call: KernelCall) -> dict[int, int]:
    """By the position of each argument that is a list of addresses: where its table stands among what a launch holds, from
    the end. See BoundPlan.bind()."""
    places: dict[int, int] = {}
    count = 0
    for position, (_, argument) in enumerate(call.arguments):
        count += _tables_of(argument)
        if isinstance(argument, Addresses):
            places[position] = count - 1
    return {position: place - count for position, place in places.items()}


def _tables_of(argument: Argument) -> int:
    match argument:
        case Table() | State():
            return 1
        case Addresses(arguments):
            return 1 + sum(map(_tables_of, arguments))
        case _:
            return 0


def moved_of(bound: BoundPlan) -> Moved:
    """What a plan needs for such runs, made now if it is not there yet."""
    opencl.check()
    if bound.moved is not None:
        return bound.moved
    with bound.lock, opencl:
        if bound.moved is None:
            bound.moved = Moved(bound)
        return bound.moved


def run_moved(
    bound: BoundPlan,
    feeds: Mapping[str, DeviceArray],
    targets: Mapping[str, DeviceArray],
    kept: Sequence[Any] = (),
) -> Flight:
    """Enqueues a run of a plan, see Moved.run(). State is there when this returns: others read it without the queue."""
    moved = moved_of(bound)
    with bound.lock, opencl:
        try:
            flight = moved.run(bound, feeds, targets, kept)
            if bound.state is not None or bound.guarded:
                flight.wait()
            if bound.guarded:
                bound.check_canaries()
        except BaseException:  # what is enqueued uses memory that nobody keeps
            bound.queue.finish()
            raise
    return flight

"""A Plan bound to a device: buffers, constants and kernels in place, ready to run many times."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from clconv.debug import logged_if_long
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
from clconv.lowering.model.call import KernelCall
from clconv.planning.memory import Slot, separate_buffers
from clconv.planning.movable import in_place
from clconv.planning.plan import Plan
from clconv.runtime.canaries import CANARY, check_canaries
from clconv.runtime.constants import DeviceConstants, Held, packed_arguments
from clconv.runtime.direct import BoundLaunch, Direct
from clconv.runtime.opencl import (
    SCALARS,
    Device,
    Queue,
    host_memory,
    set_arguments,
    sub_buffer,
    without_work,
)
from clconv.runtime.process import opencl
from clconv.runtime.progress import Progress as Progress
from clconv.runtime.progress import Steps, silent
from clconv.runtime.state import DeviceState
from clconv.runtime.stored.stored_plan import StoredPlan
from clconv.runtime.ways.faster import Ways
from clconv.runtime.words import loaded, words_of
from clconv.spans import span

if TYPE_CHECKING:
    from clconv.runtime.moved import Moved

_Launch = tuple[Any, tuple[int, ...], tuple[int, ...] | None]


class BoundPlan:
    """Arenas, kernels with their arguments set, and the launch list of one plan.

    state: where the plan's state lies; all of its values must be there.
    """

    def __init__(
        self,
        plan: Plan,
        device: Device,
        queue: Queue,
        constants: DeviceConstants,
        progress: Progress = silent,
        guarded: bool = False,
        state: DeviceState | None = None,
    ) -> None:
        self.plan, self.device, self.queue, self.state = plan, device, queue, state
        self.lock = threading.Lock() if state is None else state.lock
        self.guarded = guarded
        self.moved: Moved | None = None  # made by the first run on arrays of a caller's
        self.constants = constants
        self._held: list[Held] = []
        own_buffers = "forgets-what-is-initialised" in device.info.quirks
        self._memory = separate_buffers(plan.memory) if own_buffers else plan.memory
        self.arenas = self._allocated(own_buffers)
        self._buffers: dict[Slot, Any] = {}
        self._tables: list[Any] = []
        weights = packed_arguments(plan.calls)
        self._steps = Steps(progress, len(weights))
        if not isinstance(plan, StoredPlan) and device.compiler.is_in_doubt():
            from clconv.runtime.trials.doubtful import try_apart  # only now: it is rare

            self._held += try_apart(plan, self._memory, device, constants)
        self._stored_weights = plan.weights if isinstance(plan, StoredPlan) else None
        reading = plan.read_weights(constants) if isinstance(plan, StoredPlan) else list
        wanted = [(plan.graph.constants[a.constant], a.packing) for a in weights]
        with constants.prepared(wanted) as packed:
            with logged_if_long(f"compiling {len(plan.calls)} kernels for {device.info}"):
                self.programs = device.compiler.prepare(plan.kernels, self._steps.compiled)
            self._held += packed() + reading()
        self.functions = {part: loaded(part, self) for part in plan.parts}
        ready = [self._bind(call) for call in plan.launches]
        self._launches = [launch for launch, _ in ready]
        self._direct = self._made_direct(ready)
        self._ways = Ways(device, queue, plan.launches, ready, not self._direct.reads, guarded)
        if "builds-at-first-launch" in device.info.quirks and not guarded:
            what = f"compiling machine code for {device.info}, and first launches,"
            with span("build"), logged_if_long(what):
                self._launch_once()

    def _allocated(self, own_buffers: bool) -> list[Any]:
        """The arenas, those of state from where it lies. The plan's own hold zeros, or canaries."""
        names = {index: name for name, index in self._memory.external.items()}
        arenas = []
        for index, size in enumerate(self._memory.arenas):
            if index in names and self.state is not None:
                arenas.append(self.state.arena(names[index]))
                continue
            arenas.append(self.device.allocate(size))
            if not own_buffers and (self.guarded or host_memory(arenas[-1]) is None):
                self.queue.fill(arenas[-1], CANARY if self.guarded else 0, size)
        self.queue.finish()  # inputs are copied to where they lie without the queue, and must not be overtaken
        return arenas

    def _made_direct(self, ready: Sequence[BoundLaunch]) -> Direct:
        """What brings inputs and outputs: in place on a CPU that computes in memory of ours."""
        plan, device = self.plan, self.device
        is_ours = all(host_memory(arena) is not None for arena in self.arenas)
        alone = len(device.context.devices) == 1
        if self.guarded or not (device.info.is_cpu and is_ours and alone):
            return Direct(self, None, ready)
        found = plan.in_place if isinstance(plan, StoredPlan) else in_place(plan)
        return Direct(self, found, ready)

    def _launch_once(self) -> None:
        """Launches what needs machine code that no launch has asked for yet. State is the same as before."""
        first = self.device.compiler.first_launches(self.plan.launches, self.programs)
        if not first:
            return
        with self.lock:
            saved = {} if self.state is None else self.state.saved(self.plan.graph.updates)
            for index in first:
                with without_work(self._launches[index][0], self.plan.launches[index]):
                    self.queue.launch(*self._launches[index])
            self.queue.finish()
            if self.state is not None:
                self.state.put_all(saved)
        self.device.compiler.launched(self.plan.launches)

    def __del__(self) -> None:
        with opencl.released():
            moved = self.__dict__.get("moved")
            if moved is not None:
                moved.end()
            self.__dict__.clear()

    @functools.cached_property
    def launches(self) -> list[_Launch]:
        """One launch for each call of the plan, for those who want to look between them."""
        if self.plan.launches is self.plan.calls:
            return self._launches
        self._prepare(self.plan.calls)
        return [self._bind(call)[0] for call in self.plan.calls]

    def bind(self, calls: Sequence[KernelCall]) -> list[tuple[_Launch, list[Any]]]:
        """Launches of other calls over the same values, and what each needs, which the caller keeps: its tables and states
        come last, in the order of its arguments."""
        self._prepare(calls)
        found = []
        for call in calls:
            held, tables = len(self._held), len(self._tables)
            launch, _ = self._bind(call)
            found.append((launch, [*self._held[held:], *self._tables[tables:]]))
            del self._held[held:], self._tables[tables:]
        return found

    def launched(self, calls: Sequence[KernelCall]) -> None:
        """To be called once other calls have run: lets the device keep their machine code."""
        if self.device.compiler.first_launches(calls, self.programs):
            self.device.compiler.launched(self.plan.launches)

    def _prepare(self, calls: Sequence[KernelCall]) -> None:
        more = self.device.compiler.prepare(call.kernel for call in calls)
        self.programs = {**self.programs, **more}

    def buffer(self, value: str, offset: int = 0) -> Any:
        """The buffer in which a value lies, from so many bytes behind its beginning on."""
        return self.part(self.slot(value, offset))

    def _bind(self, call: KernelCall) -> tuple[_Launch, list[Any]]:
        """A launch, and the arguments that were set for it."""
        kernel = self.programs[call.kernel].kernel(call.kernel)
        arguments = [self.argument(a) for _, a in call.arguments]
        set_arguments(kernel, arguments)
        return (kernel, call.global_size, call.local_size), arguments

    def argument(self, argument: Any) -> Any:
        match argument:
            case Read(value, offset) | Write(value, offset):
                return self.buffer(value, offset)
            case Packed(constant, packing):
                held = self.constants.get(self.plan.graph.constants[constant], packing)
                self._held.append(held)
                self._steps.packed()
                return held.buffer
            case Scalar(value, ctype):
                return SCALARS[ctype](value)
            case Local(nbytes):
                return nbytes
            case Table(array):
                return self.upload(array)
            case State(nbytes):
                return self.upload(np.zeros(nbytes, np.uint8))
            case Addresses(arguments):
                return self.upload(words_of(arguments, self))
            case FunctionAddress(part):
                return self.functions[part].address
            case _:  # of a plan that was read
                return argument.on(self)

    def upload(self, array: np.ndarray) -> Any:
        """A buffer with the array's content that lives as long as the plan."""
        buffer = self.device.allocate(max(array.nbytes, 4))
        self.queue.write(buffer, np.ascontiguousarray(array), wait=True)
        self._tables.append(buffer)
        return buffer

    def slot(self, value: str, offset: int = 0) -> Slot:
        """Where a value lies, from `offset` bytes behind its beginning to the end of what owns its memory."""
        root, begin = self.plan.lowered.place(value)
        return self._memory.behind(root, begin + offset)

    def part(self, slot: Slot) -> Any:
        """The buffer that is a part of an arena, made when it is asked for."""
        if slot not in self._buffers:
            arena = self.arenas[slot.arena]
            whole = slot.nbytes == self._memory.arenas[slot.arena]
            self._buffers[slot] = arena if whole else sub_buffer(arena, slot.offset, slot.nbytes)
        return self._buffers[slot]

    def run(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Outputs for contiguous arrays of exactly the plan's fed inputs; state changes."""
        weights = self._stored_weights
        if weights is None or not weights.may_change:
            return self._run_usual(feeds)
        weights.check()
        found = self._run_usual(feeds)
        weights.check()
        return found

    def _run_usual(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        opencl.check()
        if self._ways.faster.way is not None:  # passes the gate itself where it needs to
            with self.lock:
                way = None if self.moved else self._ways.faster.next_way()
                if way is not None:
                    return self._direct.run(feeds, way.run)
        return self._run(feeds, self._ways.compute, self._direct.put)

    def run_by(
        self, feeds: Mapping[str, np.ndarray], enqueue: Callable[[], None]
    ) -> dict[str, np.ndarray]:
        """Like run(), with the launches by enqueue(), which is called once the writes of the inputs are enqueued."""

        def compute() -> None:
            enqueue()
            self.queue.finish()

        return self._run(feeds, compute, self._direct.copy_in)

    def _run(
        self,
        feeds: Mapping[str, np.ndarray],
        compute: Callable[[], None],
        put: Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]],
    ) -> dict[str, np.ndarray]:
        opencl.check()
        with self.lock, opencl:  # what is launched is over before the interpreter may end
            if self.moved is not None:
                self.moved.settle()
            try:
                there = put(feeds)
                compute()
                return self.outputs(there)
            except BaseException:
                self.queue.finish()  # what still runs would write over the inputs of the next run
                raise
            finally:
                self._direct.restore()

    def outputs(self, there: Mapping[str, np.ndarray] | None = None) -> dict[str, np.ndarray]:
        """The outputs; where they are in memory of ours, all that computes them must be over. there: those that need not be
        copied."""
        found = self._direct.results(there or {})
        if self.guarded:
            self.check_canaries()
        return found

    def check_canaries(self) -> None:
        """CheckError if a kernel wrote outside every value's slot."""
        contents = []
        for size, arena in zip(self._memory.arenas, self.arenas, strict=True):
            contents.append(np.empty(size, np.uint8))
            self.queue.read(contents[-1], arena, wait=True)
        check_canaries(self._memory, contents)

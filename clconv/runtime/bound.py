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
from clconv.planning.plan import Plan
from clconv.runtime import transfers
from clconv.runtime.canaries import CANARY, check_canaries
from clconv.runtime.constants import DeviceConstants, Held
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
from clconv.runtime.words import words_of
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
        self._reached: dict[str, np.ndarray | None] = {}
        weights = {a for call in plan.calls for _, a in call.arguments if isinstance(a, Packed)}
        self._steps = Steps(progress, len(weights))
        if not isinstance(plan, StoredPlan) and device.is_in_doubt():
            from clconv.runtime.trial import try_apart  # only now: it is rare

            self._held += try_apart(plan, self._memory, device, constants)
        reading = plan.read_weights(constants) if isinstance(plan, StoredPlan) else list
        with logged_if_long(f"compiling {len(plan.calls)} kernels for {device.info}"):
            self.programs = device.prepare(
                (call.kernel for call in plan.launches), self._steps.compiled
            )
        wanted = [(plan.graph.constants[a.constant], a.packing) for a in weights]
        self._held += constants.prepare(wanted) + reading()
        self._launches = [self._bind(call) for call in plan.launches]
        outputs = (plan.lowered.stored[name] for name in plan.graph.returned)
        for value in {*plan.graph.fed, *outputs} - plan.graph.constants.keys():
            if self._in_reach(value) is None:
                self.buffer(value)  # made now, for a run only runs
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

    def _launch_once(self) -> None:
        """Launches what needs machine code that no launch has asked for yet. State is the same as before."""
        first = self.device.first_launches(self.plan.launches, self.programs)
        if not first:
            return
        with self.lock:
            state = self.state
            saved = {} if state is None else state.saved(self.plan.graph.updates)
            for index in first:
                with without_work(self._launches[index][0], self.plan.launches[index]):
                    self.queue.launch(*self._launches[index])
            self.queue.finish()
            for name, array in saved.items():
                assert state is not None
                state.put(name, array)
        self.device.launched()

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
        return [self._bind(call) for call in self.plan.calls]

    def bind(self, calls: Sequence[KernelCall]) -> list[tuple[_Launch, list[Any]]]:
        """Launches of other calls over the same values, and what each needs, which the caller keeps: its tables and states
        come last, in the order of its arguments."""
        self._prepare(calls)
        found = []
        for call in calls:
            held, tables = len(self._held), len(self._tables)
            launch = self._bind(call)
            found.append((launch, [*self._held[held:], *self._tables[tables:]]))
            del self._held[held:], self._tables[tables:]
        return found

    def launched(self, calls: Sequence[KernelCall]) -> None:
        """To be called once other calls have run: lets the device keep their machine code."""
        if self.device.first_launches(calls, self.programs):
            self.device.launched()

    def _prepare(self, calls: Sequence[KernelCall]) -> None:
        more = self.device.prepare((call.kernel for call in calls), silent)
        self.programs = {**self.programs, **more}

    def buffer(self, value: str, offset: int = 0) -> Any:
        """The buffer in which a value lies, from so many bytes behind its beginning on."""
        return self._at(value, offset)

    def _bind(self, call: KernelCall) -> _Launch:
        kernel = self.programs[call.kernel].kernel(call.kernel)
        set_arguments(kernel, [self.argument(a) for _, a in call.arguments])
        return kernel, call.global_size, call.local_size

    def argument(self, argument: Any) -> Any:
        match argument:
            case Read(value, offset) | Write(value, offset):
                return self._at(value, offset)
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
        slot = self._memory.slots[root]
        return Slot(slot.arena, slot.offset + begin + offset, slot.nbytes - begin - offset)

    def _at(self, value: str, offset: int) -> Any:
        """The buffer that begins `offset` bytes behind the beginning of a value."""
        return self.part(self.slot(value, offset))

    def part(self, slot: Slot) -> Any:
        """The buffer that is a part of an arena, made when it is asked for."""
        if slot not in self._buffers:
            arena = self.arenas[slot.arena]
            whole = slot.nbytes == self._memory.arenas[slot.arena]
            self._buffers[slot] = arena if whole else sub_buffer(arena, slot.offset, slot.nbytes)
        return self._buffers[slot]

    def run(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Outputs for contiguous arrays of exactly the plan's fed inputs; state changes."""
        return self.run_by(feeds, self._enqueue)

    def _enqueue(self) -> None:
        for kernel, global_size, local_size in self._launches:
            self.queue.launch(kernel, global_size, local_size)

    def run_by(
        self, feeds: Mapping[str, np.ndarray], enqueue: Callable[[], None]
    ) -> dict[str, np.ndarray]:
        """Like run(), with the launches by enqueue(), which is called once the writes of the inputs are enqueued."""
        opencl.check()
        with self.lock, opencl:  # what is launched is over before the interpreter may end
            if self.moved is not None:
                self.moved.settle()
            try:
                for name in self.plan.graph.fed:
                    self._write(name, feeds[name])
                enqueue()
                return self.outputs()
            except BaseException:
                self.queue.finish()  # what still runs would write over the inputs of the next run
                raise

    def outputs(self) -> dict[str, np.ndarray]:
        """The outputs, once all that is enqueued is done."""
        plan, found, here = self.plan, {}, []
        for name in plan.graph.returned:
            stored = plan.lowered.stored[name]
            if stored in plan.graph.constants:
                found[name] = plan.graph.constants[stored].array.copy()
                continue
            spec = plan.lowered.specs[stored]
            found[name] = np.empty(spec.shape, spec.dtype.numpy)
            if self._in_reach(stored) is not None:
                here.append((name, stored))
            elif spec.size:
                self.queue.read(found[name], self.buffer(stored))
        self.queue.finish()
        for name, stored in here:
            transfers.count("to_host", found[name].nbytes)
            found[name].reshape(-1).view(np.uint8)[:] = self._in_reach(stored)
        if self.guarded:
            self.check_canaries()
        return found

    def _write(self, name: str, array: np.ndarray) -> None:
        """Puts an input where it belongs; what ran before is over."""
        memory = self._in_reach(name)
        if memory is None:
            self.queue.write(self.buffer(name), array)
        else:
            transfers.count("to_device", array.nbytes)
            memory[:] = array.reshape(-1).view(np.uint8)

    def _in_reach(self, value: str) -> np.ndarray | None:
        """The bytes of a value where the device computes in memory of ours: copying them here and now wakes
        nobody. None elsewhere."""
        if value not in self._reached:
            slot, nbytes = self.slot(value), self.plan.lowered.specs[value].nbytes
            whole = host_memory(self.arenas[slot.arena])
            self._reached[value] = (
                None if whole is None else whole[slot.offset : slot.offset + nbytes]
            )
        return self._reached[value]

    def check_canaries(self) -> None:
        """CheckError if a kernel wrote outside every value's slot."""
        contents = [np.empty(size, np.uint8) for size in self._memory.arenas]
        for content, arena in zip(contents, self.arenas, strict=True):
            self.queue.read(content, arena, wait=True)
        check_canaries(self._memory, contents)

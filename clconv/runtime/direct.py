"""A run's inputs and outputs between NumPy's arrays and a plan: in place where its kernels can read and write there, else by a
copy."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from clconv.planning.movable import InPlace, Site
from clconv.runtime import transfers
from clconv.runtime.moved import ALIGNMENT, is_worth_moving
from clconv.runtime.opencl import borrowed, host_memory, set_argument

if TYPE_CHECKING:
    from clconv.runtime.bound import BoundPlan

Arrays = dict[str, np.ndarray]
_NONE = np.empty(0)
_WORTH_A_WORD = 16 << 10  # bytes that are copied in half a microsecond
_FIRST: Callable[[Any], Any] = ctypes.c_char.from_buffer
_ADDRESS = ctypes.addressof
_Words = list[tuple[Any, int, int, int]]  # table, word, offset, what stands there
# A launch's kernel with its sizes, and the arguments that were set for it.
BoundLaunch = tuple[tuple[Any, ...], Sequence[Any]]


class Direct:
    """Brings inputs in front of a plan's launches, and outputs behind them. Whoever calls holds the plan's lock.

    places: None where all is copied, as it is where the device has memory of its own. launches: those that are told for each
    run where arrays lie.
    """

    def __init__(
        self, bound: BoundPlan, places: InPlace | None, launches: Sequence[BoundLaunch]
    ) -> None:
        plan = bound.plan
        graph, lowered = plan.graph, plan.lowered
        self._queue, self._constants = bound.queue, {}
        self._aimed: list[_Sites] = []
        places = places or InPlace({}, {}, {})

        def sites(found: Mapping[str, tuple[Site, ...]], name: str, nbytes: int) -> _Sites | None:
            if name not in found or not _is_worth(found[name], nbytes):
                return None
            return _Sites(bound.device.context, launches, found[name])

        self._names = graph.returned
        self._inputs, self._outputs, self._echoes = [], [], []
        for name in graph.fed:
            found = sites(places.inputs, name, lowered.specs[name].nbytes)
            self._inputs.append((name, *_place(bound, name), found))
        for name in graph.returned:
            stored = lowered.stored[name]
            if stored in graph.constants:
                self._constants[name] = graph.constants[stored].array
                continue
            spec = lowered.specs[stored]
            if name in places.echoes:
                fed, begin = places.echoes[name]
                first = begin // spec.dtype.itemsize
                part = slice(first, first + math.prod(spec.shape))
                self._echoes.append((name, fed, part, spec.shape))
            found = sites(places.outputs, name, spec.nbytes)
            self._outputs.append(
                (name, spec.shape, spec.dtype.numpy, *_place(bound, stored), found)
            )

        # Whether outputs are in memory of the device's, so that reading them goes through the queue.
        self.reads = any(memory is None for _, _, _, memory, _, _ in self._outputs)
        self._straight = _Straight.of(self._inputs, self._outputs)
        if self._constants or self._echoes:
            self._straight = None

    def run(self, feeds: Mapping[str, np.ndarray], compute: Callable[[], None]) -> Arrays:
        """A whole run of a plan whose outputs are in memory of ours; compute() returns when all is computed."""
        straight = self._straight
        if straight is not None:
            return straight.run(feeds, compute)
        try:
            there = self.put(feeds)
            compute()
            return self.results(there)
        finally:
            self.restore()

    def copy_in(self, feeds: Mapping[str, np.ndarray]) -> Arrays:
        """Copies all inputs into the plan's memory; what ran before is over. No output is computed elsewhere."""
        for name, memory, buffer, _ in self._inputs:
            self._copy(memory, buffer, feeds[name])
        return {}

    def put(self, feeds: Mapping[str, np.ndarray]) -> Arrays:
        """Lets the next launches read inputs where they are, copies the others, and returns the outputs that will be computed
        where they are wanted. restore() must follow once those launches are over."""
        for name, memory, buffer, sites in self._inputs:
            array = feeds[name]
            begin = address(array) if sites is not None else 1
            if sites is None or begin % ALIGNMENT:
                self._copy(memory, buffer, array)
            else:
                self._aimed.append(sites)
                sites.aim(array, begin)
        found = {
            name: feeds[fed].reshape(-1)[part].reshape(shape).copy()
            for name, fed, part, shape in self._echoes
        }
        for name, shape, dtype, _, _, sites in self._outputs:
            if sites is not None:
                found[name] = array = np.empty(shape, dtype)
                self._aimed.append(sites)
                sites.aim(array, address(array))
        return found

    def restore(self) -> None:
        """All lies in the plan's own memory again."""
        while self._aimed:
            self._aimed.pop().restore()

    def results(self, there: Mapping[str, np.ndarray]) -> Arrays:
        """All outputs; unless some are to be read with the queue, all that computes them must be over. there: those that
        need no copy."""
        found = dict.fromkeys(self._names, _NONE)
        reads: list[tuple[np.ndarray, Any]] = []
        for name, shape, dtype, memory, buffer, _ in self._outputs:
            if name in there:
                found[name] = there[name]
            elif memory is not None:
                transfers.count("to_host", memory.nbytes)
                found[name] = memory.copy()
            else:
                found[name] = array = np.empty(shape, dtype)
                reads.append((array, buffer))
        for array, buffer in reads:
            self._queue.read(array, buffer, wait=array is reads[-1][0])
        for name, array in self._constants.items():
            found[name] = array.copy()
        return found

    def _copy(self, memory: np.ndarray | None, buffer: Any, array: np.ndarray) -> None:
        if memory is None:
            self._queue.write(buffer, array)
        else:
            transfers.count("to_device", array.nbytes)
            memory[...] = array


def _is_worth(sites: Sequence[Site], nbytes: int) -> bool:
    """Whether telling kernels where an array lies costs less than a copy of it. A word of a table is soon told."""
    in_tables = all(site.word is not None for site in sites)
    return is_worth_moving(nbytes) or (in_tables and nbytes >= _WORTH_A_WORD * max(1, len(sites)))


class _Straight:
    """Runs of a plan whose inputs and outputs are in memory of ours, or where words of tables say. What a run does to arrays is
    one function: behind a kernel that has filled the cache, each that is called costs a microsecond or more."""

    @classmethod
    def of(cls, inputs: Sequence[Any], outputs: Sequence[Any]) -> _Straight | None:
        """None where something lies elsewhere."""
        memories = [entry[-3] for entry in (*inputs, *outputs)]
        sites = [entry[-1] for entry in (*inputs, *outputs) if entry[-1] is not None]
        if any(m is None for m in memories) or any(s.arguments for s in sites):
            return None
        return cls(inputs, outputs)

    def __init__(self, inputs: Sequence[Any], outputs: Sequence[Any]) -> None:
        """inputs: name, memory, buffer, sites; outputs: name, shape, type, memory, buffer, sites."""
        self._inputs: list[tuple[str, np.ndarray, _Words]] = [
            (name, memory, sites.words if sites else []) for name, memory, _, sites in inputs
        ]
        self._outputs: list[tuple[str, tuple[int, ...], np.dtype[Any], np.ndarray, _Words]] = [
            (name, shape, dtype, memory, sites.words if sites else [])
            for name, shape, dtype, memory, _, sites in outputs
        ]
        self._copied = [(name, memory) for name, _, _, memory, words in self._outputs if not words]
        words = [words for *_, words in self._inputs] + [words for *_, words in self._outputs]
        self._own = [(table, word, own) for some in words for table, word, _, own in some]

    def run(self, feeds: Mapping[str, np.ndarray], compute: Callable[[], None]) -> Arrays:
        found: Arrays = {}
        try:
            for name, memory, words in self._inputs:
                array = feeds[name]
                if words:
                    begin = address(array)
                    if not begin % ALIGNMENT:
                        for table, word, offset, _ in words:
                            table[word] = begin + offset
                        continue
                memory[...] = array
            for name, shape, dtype, memory, words in self._outputs:
                if not words:
                    found[name] = memory  # stands for its copy, so that outputs are in their order
                    continue
                found[name] = array = np.empty(shape, dtype)
                begin = address(array)
                for table, word, offset, _ in words:
                    table[word] = begin + offset
            compute()
            for name, memory in self._copied:
                found[name] = memory.copy()
        finally:
            for table, word, own in self._own:
                table[word] = own
        if transfers.is_counting():
            self._count(feeds)
        return found

    def _count(self, feeds: Mapping[str, np.ndarray]) -> None:
        for name, memory, words in self._inputs:
            if not words or address(feeds[name]) % ALIGNMENT:
                transfers.count("to_device", memory.nbytes)
        for _, memory in self._copied:
            transfers.count("to_host", memory.nbytes)


def _place(bound: BoundPlan, value: str) -> tuple[np.ndarray | None, Any]:
    """Where a value lies: in memory of ours, where copying it here and now wakes nobody; else in a buffer."""
    spec, slot = bound.plan.lowered.specs[value], bound.slot(value)
    whole = host_memory(bound.arenas[slot.arena])
    if whole is None:
        return None, bound.buffer(value)
    memory = whole[slot.offset : slot.offset + spec.nbytes]
    return memory.view(spec.dtype.numpy).reshape(spec.shape), None


class _Sites:
    """The arguments that say where a value lies: words of tables, and arguments of kernels."""

    def __init__(
        self, context: Any, launches: Sequence[BoundLaunch], sites: Sequence[Site]
    ) -> None:
        self._context = context
        self.words: _Words = []
        self.arguments: list[tuple[Any, int, int, Any]] = []  # kernel, position, offset, buffer
        self._lent: list[Any] = []
        for site in sites:
            (kernel, *_), arguments = launches[site.launch]
            own = arguments[site.position]
            if site.word is None:
                self.arguments.append((kernel, site.position, site.offset, own))
                continue
            table = host_memory(own)
            assert table is not None
            words = table.data.cast("Q")
            self.words.append((words, site.word, site.offset, words[site.word]))

    def aim(self, array: np.ndarray, begin: int) -> None:
        """The value lies in a contiguous array, which begins at this address."""
        for words, word, offset, _ in self.words:
            words[word] = begin + offset
        if self.arguments:
            lent: dict[int, Any] = {}
            for kernel, position, offset, _ in self.arguments:
                if offset not in lent:
                    memory = array.reshape(-1).view(np.uint8)[offset:]
                    lent[offset] = borrowed(self._context, memory, writes=array.flags.writeable)
                    self._lent.append(lent[offset])
                set_argument(kernel, position, lent[offset])

    def restore(self) -> None:
        for words, word, _, own in self.words:
            words[word] = own
        for kernel, position, _, own in self.arguments:
            set_argument(kernel, position, own)
        self._lent.clear()


def address(array: np.ndarray) -> int:
    """Where a contiguous array begins, which holds something."""
    try:  # a fifth of the time, and no function of Python
        return _ADDRESS(_FIRST(array))
    except (TypeError, ValueError):  # read-only, or of a type unknown to the buffer protocol
        return int(array.__array_interface__["data"][0])

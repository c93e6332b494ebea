"""Launches as JSON, for a process that works for this one (opencl/helper_process.py)."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

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
from clconv.planning.memory import MemoryPlan, Slot
from clconv.planning.persistent import ADDRESS
from clconv.planning.plan import Plan
from clconv.runtime.opencl import SCALARS


def places_of(plan: Plan, memory: MemoryPlan) -> Callable[[str, int], Slot]:
    """Where a plan's values lie, from so many bytes behind their beginnings on."""

    def place(value: str, offset: int) -> Slot:
        root, begin = plan.lowered.place(value)
        return memory.behind(root, begin + offset)

    return place


class Launches:
    """Makes a job of launches over values.

    buffers: sizes of those that values lie in. place: where in them, as if they were arenas, a value lies. packed: what the packed constants hold, or only
    their sizes, if they are to hold zeros.
    """

    def __init__(
        self,
        buffers: Iterable[int],
        place: Callable[[str, int], Slot],
        packed: Mapping[Packed, np.ndarray | int],
    ) -> None:
        self._place, self._packed = place, packed
        self._buffers = list(buffers)
        self._contents: list[tuple[int, int, str]] = []
        self._constants: dict[Packed, tuple[int, int]] = {}

    def fill(self, value: str, content: np.ndarray) -> None:
        """What a value is to hold."""
        slot = self._place(value, 0)
        self._put(slot.arena, slot.offset, content)

    def job(
        self,
        calls: Sequence[KernelCall],
        programs: Mapping[str, Sequence[Kernel]],
        results: Sequence[Slot] = (),
        rounds: int = 1,
    ) -> dict[str, Any]:
        """programs: kernels by the source of their program. results: bytes to be read in the end. rounds: how often all is
        launched."""
        number = {k: i for i, kernels in enumerate(programs.values()) for k in kernels}
        launches = [
            (number[c.kernel], c.kernel.symbol, [self._argument(a) for _, a in c.arguments], c.global_size, c.local_size)
            for c in calls
        ]  # fmt: skip
        return {
            "sources": list(programs),
            "address": (number.get(ADDRESS), ADDRESS.symbol),
            "launches": launches,
            "buffers": self._buffers,
            "contents": self._contents,
            "results": [(slot.arena, slot.offset, slot.nbytes) for slot in results],
            "rounds": rounds,
        }

    def _argument(self, argument: Any) -> tuple[Any, ...]:
        match argument:
            case Read(value, offset) | Write(value, offset):
                slot = self._place(value, offset)
                return ("buffer", slot.arena, slot.offset, slot.nbytes)
            case Packed():
                if argument not in self._constants:
                    self._constants[argument] = self._constant(self._packed[argument])
                index, nbytes = self._constants[argument]
                return ("buffer", index, 0, nbytes)
            case Scalar(value, ctype):
                number = SCALARS[ctype](value)
                return ("number", number.dtype.str, number.item())
            case Local(nbytes):
                return ("local", nbytes)
            case Table(array):
                return ("buffer", self._filled(array), 0, array.nbytes)
            case State(nbytes):
                return ("buffer", self._new(nbytes), 0, nbytes)
            case FunctionAddress():
                return ("number", "<u8", 0)  # which is not called
            case Addresses(arguments):
                return ("words", [self._argument(a) for a in arguments])
        raise AssertionError(argument)

    def _constant(self, packed: np.ndarray | int) -> tuple[int, int]:
        if isinstance(packed, int):
            return self._new(packed), packed
        return self._filled(packed), packed.nbytes

    def _filled(self, array: np.ndarray) -> int:
        index = self._new(array.nbytes)
        self._put(index, 0, array)
        return index

    def _put(self, index: int, offset: int, array: np.ndarray) -> None:
        text = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
        self._contents.append((index, offset, text))

    def _new(self, nbytes: int) -> int:
        self._buffers.append(nbytes)
        return len(self._buffers) - 1

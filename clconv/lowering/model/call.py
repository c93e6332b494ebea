"""A piece of machine code, and one launch of it."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Hashable, Iterable, Sequence

from clconv.graph.cost import Cost
from clconv.lowering.model.arguments import (
    Addresses,
    Argument,
    FunctionAddress,
    Local,
    Packed,
    PackedValue,
    Read,
    Scalar,
    State,
    Table,
    Write,
)
from clconv.lowering.model.rows import ByRows
from clconv.records import record


@record(frozen=True)
class Kernel:
    """A template with its parameters: the identity of one piece of machine code.

    template: path below kernels/. entry: stem of the function's name.
    """

    template: str
    entry: str
    parameters: tuple[tuple[str, Hashable], ...] = ()

    @classmethod
    def of(cls, template: str, entry: str, **parameters: Hashable) -> Kernel:
        return cls(template, entry, tuple(sorted(parameters.items())))

    def storing_half(self, names: tuple[str, ...]) -> Kernel:
        """The kernel with those of its pointers to half; see template.render."""
        return Kernel.of(self.template, self.entry, **dict(self.parameters), halves=names)

    def in_place(self) -> Kernel:
        """The kernel for a result that lies where one of its operands does; see template.render."""
        return Kernel.of(self.template, self.entry, **{**dict(self.parameters), "in_place": True})

    @functools.cached_property
    def _hash(self) -> int:
        return hash((self.template, self.entry, self.parameters))

    def __hash__(self) -> int:
        return self._hash  # kept: parameters are long, and kernels are looked up often

    @functools.cached_property
    def symbol(self) -> str:
        """Name of the OpenCL function, unique for template and parameters."""
        text = repr((self.template, self.parameters))
        return f"{self.entry}_{hashlib.sha256(text.encode()).hexdigest()[:10]}"


@record(frozen=True, eq=False)
class StoredProgram:
    """A program as it was stored. binary: reads what the device's compiler made of the source, where that is kept."""

    source: str
    binary: Callable[[], bytes] | None = None


@record(frozen=True, eq=False)
class StoredKernel(Kernel):
    """A kernel of a stored program. Its parameters hold no more than its symbol. pieces: how many kernels it is made
    of."""

    program: StoredProgram = StoredProgram("")
    pieces: int = 1

    @classmethod
    def in_program(
        cls, symbol: str, template: str, pieces: int, program: StoredProgram
    ) -> StoredKernel:
        return cls(template, symbol, (("symbol", symbol),), program, pieces)

    @functools.cached_property
    def symbol(self) -> str:
        return self.entry


@record(frozen=True)
class KernelCall:
    """One launch: the kernel, its arguments by name in order, its index space, its cost.

    same_index: arguments of whose elements each is read by the one work-item that writes the result's element in its
    place, and before it does. The result may lie in their memory. by_rows: how it computes some rows of its result alone; None
    where it does not.
    """

    node: str
    kernel: Kernel
    arguments: tuple[tuple[str, Argument], ...]
    global_size: tuple[int, ...]
    local_size: tuple[int, ...] | None  # None: the runtime chooses
    cost: Cost = Cost()
    same_index: frozenset[str] = frozenset()
    by_rows: ByRows | None = dataclasses.field(default=None, compare=False, repr=False)

    def reading_in_place(self, names: Iterable[str]) -> KernelCall:
        """The call with these as its `same_index`."""
        return dataclasses.replace(self, same_index=frozenset(names))

    def replacing(self, global_size: Sequence[int], /, **arguments: Argument) -> KernelCall:
        """The call with another index space and other arguments of these names."""
        merged = tuple((name, arguments.get(name, given)) for name, given in self.arguments)
        return dataclasses.replace(self, arguments=merged, global_size=tuple(global_size))

    @property
    def reads(self) -> tuple[str, ...]:
        return tuple(a.value for _, a in self.arguments if isinstance(a, Read))

    @property
    def writes(self) -> tuple[str, ...]:
        return tuple(a.value for _, a in self.arguments if isinstance(a, Write))

    def __str__(self) -> str:
        def text(argument: Argument) -> str:
            match argument:
                case Read(value, _):
                    return value
                case Write(value, _):
                    return f"-> {value}"
                case Packed(constant, packing):
                    return f"{constant}:{packing.name}"
                case PackedValue(value, _, packing, _):
                    return f"{value}:{packing.name}"
                case Scalar(value, _):
                    return str(value)
                case Local(nbytes):
                    return f"local {nbytes}"
                case Table(array):
                    return f"table {array.dtype}{list(array.shape)}"
                case FunctionAddress(part):
                    return part.symbol
                case Addresses(several):
                    return f"{len(several)} words"
                case State(nbytes):
                    return f"state {nbytes}"

        arguments = ", ".join(f"{name}={text(a)}" for name, a in self.arguments)
        size = "x".join(map(str, self.global_size))
        return f"{self.kernel.symbol}<{size}>({arguments})  # {self.node}"

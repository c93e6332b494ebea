"""Compiled programs: which kernels are compiled together, and the kernel objects of a program."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pyopencl as cl

from clconv.lowering.model.call import Kernel, StoredKernel, StoredProgram
from clconv.planning.persistent import is_part, is_persistent
from clconv.runtime import process
from clconv.runtime.opencl.refusals import refused

# Compiling costs PoCL as much for one kernel as for several, but its back end walks the whole program once
# for every kernel.
KERNELS_A_PROGRAM = 16


def together(kernels: Sequence[Kernel], most: int = KERNELS_A_PROGRAM) -> list[tuple[Kernel, ...]]:
    """Kernels that are compiled together, at most so many; one made of others alone, because their functions are in it; stored
    ones as they were."""
    stored: dict[int, list[Kernel]] = {}
    for kernel in kernels:
        if isinstance(kernel, StoredKernel):
            stored.setdefault(id(kernel.program), []).append(kernel)
    fresh = [k for k in kernels if not isinstance(k, StoredKernel)]
    alone = [(k,) for k in fresh if is_persistent(k) or is_part(k)]
    others = [k for k in fresh if not is_persistent(k) and not is_part(k)]
    several = [tuple(others[i : i + most]) for i in range(0, len(others), most)]
    return [*map(tuple, stored.values()), *alone, *several]


def _stored_program(kernels: Sequence[Kernel]) -> StoredProgram | None:
    return kernels[0].program if isinstance(kernels[0], StoredKernel) else None


def known_source(kernels: Sequence[Kernel]) -> str | None:
    """That of stored ones."""
    stored = _stored_program(kernels)
    return None if stored is None else stored.source


def known_binary(kernels: Sequence[Kernel]) -> Callable[[], bytes] | None:
    """What reads what a compiler made of them, if that is stored."""
    stored = _stored_program(kernels)
    return None if stored is None else stored.binary


class Program:
    """A compiled program, its source, and what was launched of it: symbols of kernels with
    local sizes. A kernel itself would keep the network that it was read from."""

    def __init__(self, compiled: Any, source: str) -> None:
        self._compiled, self.source = compiled, source
        self.launched: set[tuple[str, tuple[int, ...] | None]] = set()

    @refused("read a program's binary")
    def binary(self) -> bytes:
        """The device's machine code, or what its driver keeps in the place of it."""
        with process.opencl:
            (found,) = self._compiled.get_info(cl.program_info.BINARIES)
        return bytes(found)

    @refused("make a kernel")
    def kernel(self, kernel: Kernel) -> Any:
        """A new kernel object, whose arguments are its owner's."""
        return cl.Kernel(self._compiled, kernel.symbol)


def _keep_invokers() -> None:
    """Lets pyopencl keep the Python code that it generates and compiles for each cl.Kernel, 0.3 ms each: a
    plan for a new input size makes many kernels anew. The code follows from the arguments alone."""
    from pyopencl import invoker

    generate = getattr(invoker, "generate_enqueue_and_set_args", None)
    if generate is None:  # another pyopencl: nothing to keep
        return
    kept: dict[object, object] = {}

    def remembered(*arguments: Any, **named: Any) -> Any:
        key = repr((arguments, sorted(named.items())))
        if key not in kept:
            kept[key] = generate(*arguments, **named)
        return kept[key]

    invoker.generate_enqueue_and_set_args = remembered


_keep_invokers()

"""What a kernel call can pass to a kernel: values, packed constants, numbers, tables."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Protocol

import numpy as np

from clconv.device.info import DeviceInfo
from clconv.graph.ir import DType, Layout, TensorSpec
from clconv.records import record

if TYPE_CHECKING:
    from clconv.lowering.model.call import Kernel, KernelCall


class Room(Protocol):
    """Gives an array to be filled, its elements undefined, as numpy.empty does."""

    def __call__(self, shape: tuple[int, ...], dtype: type[np.generic], /) -> np.ndarray: ...


@record(frozen=True)
class Packing:
    """How a constant is rearranged before it goes to the device: a name, its settings, a function.

    Two packings are the same if name and settings are; the function follows from them. dtype: what it
    makes of every constant, None where each keeps its own. fill: for large constants, does what the function does and
    puts the result into an array that it asks `room` for, which may be the device's memory.

    on_device: how a device packs what only a run brings, where that computes and does not only move elements: the launch
    for a value, the name of what it makes, a node and a device, and how many bytes it makes.
    turned: of how many groups are filters of which it makes what it otherwise does of them turned, 0 if it does not; see
        shared/packing.py.
    """

    name: str
    settings: tuple[Hashable, ...] = ()
    function: Callable[[np.ndarray], np.ndarray] = dataclasses.field(
        default=np.ascontiguousarray, compare=False
    )
    dtype: DType | None = dataclasses.field(default=None, compare=False)
    on_device: Callable[[PackedValue, str, str, DeviceInfo], tuple[KernelCall, int]] | None = (
        dataclasses.field(default=None, compare=False)
    )
    fill: Callable[[np.ndarray, Room], np.ndarray] | None = dataclasses.field(
        default=None, compare=False
    )
    turned: int = 0

    @classmethod
    def filling(
        cls,
        name: str,
        settings: tuple[Hashable, ...],
        fill: Callable[[np.ndarray, Room], np.ndarray],
        dtype: DType | None = None,
        on_device: Callable[[PackedValue, str, str, DeviceInfo], tuple[KernelCall, int]]
        | None = None,
    ) -> Packing:
        """A packing by `fill`, whose function puts the result into an array of its own."""
        return cls(name, settings, lambda array: fill(array, np.empty), dtype, on_device, fill)


AS_IS = Packing("as-is")


def packed_float(array: np.ndarray) -> type[np.floating]:
    """What a packing makes of a constant's elements: halves stay halves, everything else becomes float32."""
    return np.float16 if array.dtype == np.float16 else np.float32


def layout_packing(layout: Layout) -> Packing:
    """A constant as a value of that layout would lie; lanes past the last channel are zero."""
    if layout.is_plain:
        return AS_IS

    def pack(array: np.ndarray) -> np.ndarray:
        batch, channels, *spatial = array.shape
        missing = -channels % layout.block
        padded = np.pad(array, [(0, 0), (0, missing), *[(0, 0)] * len(spatial)])
        blocks = padded.reshape(batch, -1, layout.block, *spatial)
        return np.ascontiguousarray(np.moveaxis(blocks, 2, -1))

    return Packing("layout", (layout.block,), pack)


@record(frozen=True)
class Read:
    """Argument: the buffer of a value or constant that the kernel reads. offset in bytes."""

    value: str
    offset: int = 0


@record(frozen=True)
class Write:
    """Argument: the buffer of a value that the kernel writes."""

    value: str
    offset: int = 0


@record(frozen=True)
class Packed:
    """Argument: a constant on the device, packed once and shared by all plans."""

    constant: str
    packing: Packing = AS_IS


@record(frozen=True)
class PackedValue:
    """Argument: a value that the run brings as a packing makes it, read with that spec `offset` bytes behind its
    beginning. Lowering puts a buffer in its place, and a launch that fills it before: see shared/packing.py."""

    value: str
    spec: TensorSpec
    packing: Packing
    offset: int = 0


@record(frozen=True)
class Scalar:
    """Argument: a number. ctype is OpenCL's name: int, long, float, uint."""

    value: int | float
    ctype: str = "int"


@record(frozen=True)
class Local:
    """Argument: local memory of that many bytes."""

    nbytes: int


@record(frozen=True, eq=False)
class Table:
    """Argument: an array made while lowering (indices, weights), uploaded once with the plan."""

    array: np.ndarray


@record(frozen=True)
class Addresses:
    """Argument: 64-bit words, one for each of these: a number's bits, or where a buffer begins.

    Only for devices whose buffers keep their addresses for life and are read through any pointer: CPUs.
    """

    arguments: tuple[Argument, ...]


@record(frozen=True)
class FunctionAddress:
    """Among Addresses: where the function begins that does the operations of a part, see planning/parts.py."""

    part: Kernel


@record(frozen=True)
class State:
    """Argument: bytes that are zero at first, and what the kernel left there the next time."""

    nbytes: int


Argument = (
    Read
    | Write
    | Packed
    | PackedValue
    | Scalar
    | Local
    | Table
    | Addresses
    | FunctionAddress
    | State
)

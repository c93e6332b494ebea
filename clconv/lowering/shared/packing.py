"""Values that a run brings, packed on the device as constants are on the host: one launch for each value and packing.

A packing that only moves elements is found out by packing their numbers: rows of the result are neighbours in it that
lie evenly apart in the value. One that computes says itself how a device does it (Packing.on_device).
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Container, Iterable

import numpy as np

from clconv.device.info import DeviceInfo
from clconv.graph.ir import DType
from clconv.graph.ops.base import Cost
from clconv.graph.ops.conv.turned_filters import turned
from clconv.lowering.model.arguments import (
    Argument,
    PackedValue,
    Packing,
    Read,
    Scalar,
    Table,
    Write,
)
from clconv.lowering.model.call import Kernel, KernelCall
from clconv.lowering.shared.work_split import elements_per_item, items

_WIDTHS = (64, 48, 32, 24, 16, 12, 8, 4, 2)  # of rows; lanes of the kernels that read them
_EXACT = 1 << 24  # whole numbers up to here are floats


class Packer:
    """The launches that pack values for those that read them, one for each value and packing of a graph."""

    def __init__(self, device: DeviceInfo) -> None:
        self._device = device
        self._names: dict[PackedValue, str] = {}
        self.turned: dict[str, PackedValue] = {}  # values that are filters turned: those

    def resolved(
        self,
        calls: Iterable[KernelCall],
        unused: Callable[[str], str],
        values: Container[str],
    ) -> tuple[tuple[KernelCall, ...], dict[str, int]]:
        """The calls with packed values as buffers, before each what fills those that are not there yet; and the bytes of
        these buffers by name.

        unused: a name like the given one that no value has. values: those that never change once they are there, so
        that what was packed for one call serves others; scratch is packed for each.
        """
        found: list[KernelCall] = []
        scratch: dict[str, int] = {}
        for call in calls:
            if not any(isinstance(a, PackedValue) for _, a in call.arguments):
                found.append(call)
                continue
            arguments: list[tuple[str, Argument]] = []
            for name, given in call.arguments:
                argument = self._unturned(given) if isinstance(given, PackedValue) else given
                if not isinstance(argument, PackedValue):
                    arguments.append((name, argument))
                elif is_as_packed(argument):
                    arguments.append((name, Read(argument.value, argument.offset)))
                else:
                    if argument not in self._names or argument.value not in values:
                        target = unused(f"{argument.value}:{argument.packing.name}")
                        while target in scratch:
                            target += "'"
                        packing, nbytes = packing_call(argument, target, call.node, self._device)
                        found.append(packing)
                        scratch[target], self._names[argument] = nbytes, target
                    arguments.append((name, Read(self._names[argument])))
            found.append(dataclasses.replace(call, arguments=tuple(arguments)))
        return tuple(found), scratch

    def _unturned(self, wanted: PackedValue) -> PackedValue:
        """The packing of TurnedFilters as one of the filters themselves."""
        source, packing = self.turned.get(wanted.value), wanted.packing
        if source is None or wanted.offset:
            return wanted
        group = source.packing.turned
        if group > 1 and packing.on_device is not None:
            return wanted  # it takes channels and filters to change places, which in groups they do not

        def pack(w: np.ndarray) -> np.ndarray:
            return packing.function(turned(w, group))

        made = dataclasses.replace(packing, function=pack, fill=None, turned=group)
        return dataclasses.replace(source, packing=made)


def is_as_packed(wanted: PackedValue) -> bool:
    """Whether the packing changes nothing."""
    made = wanted.packing.dtype or wanted.spec.dtype
    if wanted.packing.on_device is not None or made is not wanted.spec.dtype:
        return False
    return _rows(wanted.packing, wanted.spec.shape).is_same


def packing_call(
    wanted: PackedValue, target: str, node: str, device: DeviceInfo
) -> tuple[KernelCall, int]:
    """The launch that writes a packed value to `target`, and how many bytes that has."""
    if wanted.packing.on_device is not None:
        return wanted.packing.on_device(wanted, target, node, device)
    spec, rows = wanted.spec, _rows(wanted.packing, wanted.spec.shape)
    made = wanted.packing.dtype or spec.dtype
    halves = tuple(n for n, d in (("x", spec.dtype), ("y", made)) if d is DType.FLOAT16)
    kernel = Kernel.of(
        "movement/pack.cl.mako", "pack", width=rows.width, by_row=device.is_cpu
    ).storing_half(halves)
    count = len(rows.table)
    total = count if device.is_cpu else count * rows.width
    per_item = (
        max(1, elements_per_item(device, count * rows.width) // rows.width) if device.is_cpu else 1
    )
    nbytes = count * rows.width * made.itemsize
    arguments: tuple[tuple[str, Argument], ...] = (
        ("x", Read(wanted.value, wanted.offset)),
        ("rows", Table(rows.table)),
        ("y", Write(target)),
        ("total", Scalar(total)),
        ("stride", Scalar(rows.stride)),
        ("per_item", Scalar(per_item)),
    )
    cost = Cost(0, spec.nbytes + nbytes)
    local = (1,) if device.is_cpu else None
    return KernelCall(node, kernel, arguments, (items(total, per_item),), local, cost), nbytes


@dataclasses.dataclass(frozen=True, eq=False)
class _Rows:
    """A packed value as rows of `width` elements: for each the first element's place in the value and how many there
    are, the next ones `stride` further each, zeros behind them.

    is_same: whether it is the value as it was.
    """

    width: int
    stride: int
    table: np.ndarray  # (rows, 2) int32
    is_same: bool


@functools.lru_cache(maxsize=256)
def _rows(packing: Packing, shape: tuple[int, ...]) -> _Rows:
    """What a packing that only moves elements does to a value of that shape."""
    count = math.prod(shape)
    numbers = np.arange(1, count + 1).reshape(shape)  # 0 stands for padding
    parts = [numbers % _EXACT] if count < _EXACT else [numbers % _EXACT, numbers // _EXACT]
    packed = [packing.function(part.astype(np.float32)).reshape(-1) for part in parts]
    places = sum(part.astype(np.int64) * _EXACT**i for i, part in enumerate(packed))
    assert isinstance(places, np.ndarray)
    is_same = places.size == count and bool((places == numbers.reshape(-1)).all())
    for width in _WIDTHS:
        if places.size % width == 0 and (found := _evenly(places.reshape(-1, width))):
            stride, lengths = found
            break
    else:
        width, stride, lengths = 1, 1, (places > 0).astype(np.int64)
    first = np.maximum(places.reshape(-1, width)[:, 0] - 1, 0)
    table = np.ascontiguousarray(np.stack([first, lengths], 1).astype(np.int32))
    return _Rows(width, stride, table, is_same)


def _evenly(rows: np.ndarray) -> tuple[int, np.ndarray] | None:
    """The one distance of neighbours in all rows, and how many elements each begins with; None if they are not so."""
    lengths = (rows > 0).sum(1)
    lanes = np.arange(rows.shape[1])
    several = np.flatnonzero(lengths > 1)
    stride = int(rows[several[0], 1] - rows[several[0], 0]) if several.size else 1
    expected = np.where(lanes < lengths[:, None], rows[:, :1] + lanes * stride, 0)
    return (stride, lengths) if (rows == expected).all() else None

"""How a call computes some rows of its result alone, so that calls can follow each other band by band."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

from clconv.records import record

if TYPE_CHECKING:
    from clconv.lowering.model.call import KernelCall


@record(frozen=True)
class Rows:
    """Rows [begin, end) of an image."""

    begin: int
    end: int

    @property
    def count(self) -> int:
        return self.end - self.begin


@record(frozen=True)
class HeldRows:
    """Memory that has some rows of a value, of all its images and channels. name: of that memory; "" for the value's own, which
    has all rows."""

    rows: Rows
    name: str = ""


@dataclasses.dataclass(frozen=True, eq=False)
class ByRows:
    """What a call on channel blocks says of its rows.

    size, out: (height, width) of the image that it reads as `x` and of its result `y`. lines: bytes of a row of each within a
    channel block; row_bytes: of a row of the result with all images and channels. reach, stride, before: rows that a window
    spans, its step, padding before the first row. further: whether some rows are read from an address further on. alike: arguments that are other values of the result's size.
    part(this, call, rows, source, target): the call for these rows of the result; the rows that it needs are among source's.
    """

    size: tuple[int, int]
    out: tuple[int, int]
    lines: tuple[int, int]
    row_bytes: int
    reach: int
    stride: int
    before: int
    further: bool
    alike: tuple[str, ...]
    part: Callable[[ByRows, KernelCall, Rows, HeldRows, HeldRows], KernelCall]

    def needed(self, rows: Rows) -> Rows:
        """The rows of the image that these rows of the result are computed from."""
        first, last = rows.begin * self.stride, (rows.end - 1) * self.stride
        begin = max(first - self.before, 0)
        return Rows(begin, max(min(last - self.before + self.reach, self.size[0]), begin))

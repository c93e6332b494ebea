"""What `clconv tune` measured, as plain data: which variant with which parameters serves a node best, and where
that was found to be so. Looked up by exact shape, nearest shape, device family, vendor."""

from __future__ import annotations

import dataclasses
import functools
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from clconv.device.info import DeviceInfo
from clconv.graph.ir import Node, TensorSpec
from clconv.records import record

Named = tuple[tuple[str, Any], ...]  # sorted by name

# How far a size may be from the one that was measured, as a factor. Batch, height and width count together: what is best
# for many pixels is so for more of them, while numbers of channels decide how a register tile is filled. What was not
# measured by this user on this device is taken for the very same sizes only: it must never be slower than the usual.
_FARTHEST = {"pixels": 16.0, "rows": 16.0}
_FARTHEST_OTHER = 2.0


@record(frozen=True)
class Machine:
    """The device that something was measured on, with its driver."""

    platform: str
    name: str
    vendor: str
    driver: str
    version: str
    kind: str
    vector_width: int

    @classmethod
    def of(cls, device: DeviceInfo) -> Machine:
        return cls(**{f.name: getattr(device, f.name) for f in dataclasses.fields(cls)})

    def is_same_device(self, other: Machine) -> bool:
        """Whatever its driver."""
        return (self.platform, self.name) == (other.platform, other.name)

    @property
    def family(self) -> tuple[str, ...]:
        """Devices that the same parameters probably suit. Of CPUs those that one runtime drives and that have the same
        vectors: its compiler decides. Of GPUs those whose names begin alike up to the generation: the first number
        without its last two digits."""
        if self.kind == "cpu":
            return self.platform, self.kind, str(self.vector_width), self.driver.split(".")[0]
        number = re.match(r"(\D*)(\d*)", self.name.lower())
        assert number is not None
        return self.vendor, self.kind, number[1] + number[2][:-2]

    @property
    def maker(self) -> tuple[str, ...]:
        return self.vendor, self.kind, str(self.vector_width if self.kind == "cpu" else 0)


@record(frozen=True)
class Shape:
    """What is tuned for. kind: what must be the same, the shape class; sizes: what may be near instead; exact: the rest
    of what makes two problems the same."""

    operator: str
    dtype: str
    kind: Named
    sizes: Named
    exact: Named = ()

    @classmethod
    def of(
        cls,
        node: Node,
        inputs: Sequence[TensorSpec | None],
        outputs: Sequence[TensorSpec],
        instruction: str = "",
        strict: bool = False,
    ) -> Shape:
        """The shape of a node with specs for all its inputs and outputs.

        instruction: the matrix instruction that it may take. What was best without one says nothing of what is
        best with one, so it is a part of the class. strict: whether precision="strict" rules out one of the node's
        variants; that is one, too.
        """
        found = cls._plain(node, inputs, outputs)
        more: list[tuple[str, Any]] = [("instruction", instruction)] if instruction else []
        more += [("precision", "strict")] if strict else []
        if not more:
            return found
        return dataclasses.replace(found, kind=tuple(sorted((*found.kind, *more))))

    @classmethod
    def _plain(
        cls, node: Node, inputs: Sequence[TensorSpec | None], outputs: Sequence[TensorSpec]
    ) -> Shape:
        x, y = inputs[0] if inputs else None, outputs[0]
        dtype = (x or y).dtype.value
        w = inputs[1] if len(inputs) > 1 else None
        if node.op in ("Conv", "ConvTranspose") and x is not None and w is not None:
            return cls(node.op, dtype, *_convolution(node, x, w, y))
        if node.op in ("Gemm", "MatMul") and x is not None and w is not None:
            return cls(node.op, dtype, *_product(node, x, w, y))
        given = [spec for spec in inputs if spec is not None]
        kind = (
            ("attributes", str(node.attrs)),
            ("ranks", " ".join(str(s.rank) for s in (*given, *outputs))),
        )
        exact = tuple((f"input{i}", _times(s.shape)) for i, s in enumerate(given))
        return cls(node.op, dtype, kind, (("elements", y.size),), exact)

    def distance(self, other: Shape) -> float:
        """0 for the same sizes, infinite where one of them is too far."""
        if [name for name, _ in self.sizes] != [name for name, _ in other.sizes]:
            return math.inf
        total = 0.0
        for (name, mine), (_, theirs) in zip(self.sizes, other.sizes, strict=True):
            if min(mine, theirs) < 1:
                return 0.0 if self.sizes == other.sizes else math.inf
            factor = max(mine / theirs, theirs / mine)
            if factor > _FARTHEST.get(name, _FARTHEST_OTHER):
                return math.inf
            total += math.log2(factor)
        return total

    def __str__(self) -> str:
        sizes = " ".join(f"{name} {value}" for name, value in (*self.sizes, *self.exact))
        kind = " ".join(f"{name} {value}" for name, value in self.kind if value not in ("", "-"))
        return f"{self.operator} {self.dtype} {kind}: {sizes}"


def _times(sizes: Iterable[int]) -> str:
    return "x".join(map(str, sizes))


def _convolution(
    node: Node, x: TensorSpec, w: TensorSpec, y: TensorSpec
) -> tuple[Named, Named, Named]:
    at, channels, filters = node.attrs, x.shape[1], y.shape[1]
    depthwise = at.group == channels > 1
    groups = "depthwise" if depthwise else "one" if at.group == 1 else f"{at.group}"
    kind = (
        ("dilation", _times(at.dilations)),
        ("groups", groups),
        ("stride", _times(at.strides)),
        ("window", _times(w.shape[2:])),
    )
    pixels = y.shape[0] * math.prod(y.shape[2:])
    sizes = (("channels", channels), ("filters", filters), ("pixels", pixels))
    return kind, sizes, (("input", _times(x.shape)), ("pads", _times(at.pads)))


def _product(node: Node, a: TensorSpec, b: TensorSpec, y: TensorSpec) -> tuple[Named, Named, Named]:
    gemm = node.op == "Gemm"
    turned = (gemm and bool(node.attrs.transA), gemm and bool(node.attrs.transB))
    inner = a.shape[0 if turned[0] else -1]
    columns = y.shape[-1] if y.rank and b.rank > 1 else 1
    rows = y.size // max(1, columns)
    one_row = "yes" if rows == 1 else "no"  # a stream of the matrix, not a tile
    kind = (
        ("one_row", one_row),
        ("ranks", f"{a.rank} {b.rank}"),
        ("turned", f"{'a' * turned[0]}{'b' * turned[1]}" or "-"),
    )
    sizes = (("columns", columns), ("inner", inner), ("rows", rows))
    return kind, sizes, (("input0", _times(a.shape)), ("input1", _times(b.shape)))


@record(frozen=True)
class Entry:
    """One result. Errors are relative, times in seconds; what begins with `default_` is of what would have run without
    tuning. is_default: nothing was found to be better, so that choosing stays as it is."""

    machine: Machine
    shape: Shape
    variant: str
    parameters: Named = ()
    error: float = 0.0
    default_error: float = 0.0
    seconds: float = 0.0
    default_seconds: float = 0.0
    is_default: bool = False

    @property
    def key(self) -> tuple[Machine, Shape]:
        return self.machine, self.shape


@record(frozen=True)
class Measurements:
    """Entries for one device. entries: the user's; those of other devices may be among them. shipped: clconv's."""

    machine: Machine | None = None
    entries: tuple[Entry, ...] = ()
    shipped: tuple[Entry, ...] = ()

    @functools.cached_property
    def _by_class(self) -> dict[tuple[str, str, Named], list[Entry]]:
        found: dict[tuple[str, str, Named], list[Entry]] = {}
        for entry in (*self.entries, *self.shipped):
            shape = entry.shape
            found.setdefault((shape.operator, shape.dtype, shape.kind), []).append(entry)
        return found

    @functools.cached_property
    def _operators(self) -> frozenset[str]:
        return frozenset(entry.shape.operator for entry in (*self.entries, *self.shipped))

    @functools.cached_property
    def _shipped_ids(self) -> frozenset[int]:
        return frozenset(map(id, self.shipped))

    def knows(self, operator: str) -> bool:
        """Whether there are entries for an operator at all."""
        return operator in self._operators

    def find(
        self,
        node: Node,
        inputs: Sequence[TensorSpec | None],
        outputs: Sequence[TensorSpec],
        instruction: str = "",
        strict: bool = False,
    ) -> Iterator[tuple[str, Entry]]:
        """(where it is from, entry), best first: exact shape, nearest shape, device family, vendor. instruction, strict:
        see Shape.of."""
        if not self.knows(node.op) or not outputs:
            return
        shape = Shape.of(node, inputs, outputs, instruction, strict)
        near = []
        for place, entry in enumerate(
            self._by_class.get((shape.operator, shape.dtype, shape.kind), ())
        ):
            level = self._level(entry, shape)
            distance = shape.distance(entry.shape)
            own = level in (0, 1) and id(entry) not in self._shipped_ids
            if level is not None and (distance < math.inf if own else distance == 0):
                near.append((level, distance, place, entry))
        for level, _, _, entry in sorted(near, key=lambda row: row[:3]):
            yield LEVELS[level], entry

    def _level(self, entry: Entry, shape: Shape) -> int | None:
        mine = self.machine
        assert mine is not None
        if entry.machine == mine:
            return 0 if entry.shape == shape else 1
        if entry.machine.is_same_device(mine):
            return None  # of another driver: out of date
        if entry.machine.family == mine.family:
            return 2
        return 3 if entry.machine.maker == mine.maker else None


LEVELS = ("exact shape", "nearest shape", "device family", "vendor")

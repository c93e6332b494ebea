"""The intermediate representation: DType, Layout, TensorSpec, Constant, Node, Graph.

Everything is immutable; a pass takes a Graph and returns a new one. Shapes are logical and always in
NCHW order, whatever layout a value is stored in.
"""

from __future__ import annotations

import dataclasses
import enum
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np


class DType(enum.Enum):
    """Element type of a tensor; the value is NumPy's name for it."""

    FLOAT32 = "float32"
    FLOAT64 = "float64"
    FLOAT16 = "float16"
    INT64 = "int64"
    INT32 = "int32"
    INT16 = "int16"
    INT8 = "int8"
    UINT64 = "uint64"
    UINT32 = "uint32"
    UINT16 = "uint16"
    UINT8 = "uint8"
    BOOL = "bool"

    @property
    def numpy(self) -> np.dtype[Any]:
        return np.dtype(self.value)

    @property
    def itemsize(self) -> int:
        return self.numpy.itemsize

    @property
    def is_float(self) -> bool:
        return self.numpy.kind == "f"

    @classmethod
    def of(cls, dtype: Any) -> DType:
        """The DType of a NumPy dtype or array; ValueError if clconv has none for it."""
        found = getattr(dtype, "dtype", dtype)
        known = _OF_NUMPY.get(found) if isinstance(found, np.dtype) else None
        return known or cls(np.dtype(found).name)


_OF_NUMPY = {dtype.numpy: dtype for dtype in DType}


@dataclasses.dataclass(frozen=True)
class Layout:
    """How a value lies in memory.

    block == 1: plain, row-major in logical order. block == c > 1: channels (axis 1) are cut into
    blocks of c that lie innermost, (N, ceil(C/c), spatial..., c). What the lanes past the last channel
    hold is undefined: no kernel may let them influence a real value.
    """

    block: int = 1

    @property
    def is_plain(self) -> bool:
        return self.block == 1

    def physical(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Dimensions of the stored array for a logical shape."""
        if self.is_plain:
            return shape
        batch, channels, *spatial = shape
        return (batch, -(-channels // self.block), *spatial, self.block)

    def __str__(self) -> str:
        return "plain" if self.is_plain else f"c{self.block}"


PLAIN = Layout()

Dim = int | str | None  # str or None: known only when an input arrives


ANY_SHAPE = (...,)  # of an input that does not even say how many axes it has


@dataclasses.dataclass(frozen=True, repr=False)
class TensorSpec:
    """Logical shape (NCHW order), element type and layout of a value."""

    shape: tuple[Any, ...]
    dtype: DType = DType.FLOAT32
    layout: Layout = PLAIN

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def is_static(self) -> bool:
        return all(isinstance(d, int) for d in self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes as stored, padding of the layout included."""
        return math.prod(self.layout.physical(self.shape)) * self.dtype.itemsize

    def with_layout(self, layout: Layout) -> TensorSpec:
        return dataclasses.replace(self, layout=layout)

    @classmethod
    def of(cls, array: np.ndarray) -> TensorSpec:
        return cls(tuple(array.shape), DType.of(array))

    def __str__(self) -> str:
        words = {None: "?", ...: "..."}
        dims = "x".join(words.get(d) or str(d) for d in self.shape) or "scalar"
        suffix = "" if self.layout.is_plain else f":{self.layout}"
        return f"{self.dtype.value}[{dims}]{suffix}"

    __repr__ = __str__  # dictionaries of specs are printed


_constant_keys = itertools.count()


# A re-readable constant of fewer bytes is kept once read; a larger one is read again when asked for.
_KEPT_BYTES = 1 << 16


class Constant:
    """A tensor known before the first run. `key` is unique for the life of the process, so that device
    copies can be shared between plans.

    Weights that can be read again (from the model's file, or computed from other constants) are not held
    in memory: `array` reads them each time, and whoever needs one uploads it and lets it go.

    Constants of the same spec and bytes are equal. A copy is the constant itself; pickled, it takes its values along.
    """

    __slots__ = ("_array", "_read", "derived", "key", "spec")

    def __init__(self, array: Any) -> None:
        self._array: np.ndarray | None = np.asarray(array)
        self._array.flags.writeable = False
        self._read: Callable[[], np.ndarray] | None = None
        self.spec = TensorSpec.of(self._array)
        self.key = next(_constant_keys)
        self.derived: dict[str, Constant] = {}  # constants made from this one, by how

    @classmethod
    def reread(cls, spec: TensorSpec, read: Callable[[], np.ndarray]) -> Constant:
        """A constant of that spec whose value read() gives, the same at every call."""
        constant = cls.__new__(cls)
        constant._array, constant._read = None, read
        constant.spec, constant.key, constant.derived = spec, next(_constant_keys), {}
        return constant

    @property
    def array(self) -> np.ndarray:
        if self._array is not None:
            return self._array
        assert self._read is not None
        value = self._read()
        value.flags.writeable = False
        if value.nbytes <= _KEPT_BYTES:
            self._array = value
        return value

    def __eq__(self, other: object) -> bool:
        if self is other or not isinstance(other, Constant):
            return self is other
        return self.spec == other.spec and self.array.tobytes() == other.array.tobytes()

    def __hash__(self) -> int:
        return hash(self.spec)

    def __copy__(self) -> Constant:
        return self

    def __deepcopy__(self, memo: object) -> Constant:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return Constant, (self.array,)

    def __repr__(self) -> str:
        return f"Constant({self.spec})"


class Attributes(Mapping[str, Any]):
    """Read-only attributes of a node, also as attributes: `a.strides`, `a["strides"]`."""

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        merged = {**(items or {}), **more}
        object.__setattr__(self, "_items", {k: _freeze(v) for k, v in merged.items()})

    def __getitem__(self, key: str) -> Any:
        return self._items[key]

    def __getattr__(self, name: str) -> Any:
        try:
            return self._items[name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("Attributes are read-only")

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Attributes):
            return NotImplemented
        mine, theirs = self._items, other._items
        return mine.keys() == theirs.keys() and all(_same(v, theirs[k]) for k, v in mine.items())

    def __hash__(self) -> int:
        return hash(tuple(sorted((k, _brief(v)) for k, v in self._items.items())))

    def __reduce__(self) -> tuple[Any, ...]:
        return Attributes, (dict(self._items),)

    def replace(self, **changes: Any) -> Attributes:
        return Attributes({**self._items, **changes})

    def __str__(self) -> str:
        return " ".join(f"{k}={_brief(v)}" for k, v in self._items.items())

    __repr__ = __str__


def _freeze(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return tuple(_freeze(v) for v in value)
    return value


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return Constant(one) == Constant(other)
    return bool(one == other)


def _brief(value: Any) -> str:
    if isinstance(value, tuple):
        return "(" + ",".join(_brief(v) for v in value) + ")"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Graph):
        return f"<{value.name}: {len(value.nodes)} nodes>"
    return str(value)


RUNNING = -1  # operand of an epilogue step: the value computed so far


@dataclasses.dataclass(frozen=True)
class EpilogueStep:
    """An element-wise operator applied to a node's result before it is stored.

    `operands` are indices into the node's inputs; RUNNING stands for the value computed so far.
    """

    op: str
    attrs: Attributes = dataclasses.field(default_factory=Attributes)
    operands: tuple[int, ...] = (RUNNING,)


@dataclasses.dataclass(frozen=True)
class Node:
    """One operator applied to named values. An absent optional input or output is the empty string.

    With an epilogue, the inputs that its steps use stand behind the operator's own: `op_inputs` are
    the operator's, `inputs` all.
    """

    op: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attrs: Attributes = dataclasses.field(default_factory=Attributes)
    epilogue: tuple[EpilogueStep, ...] = ()
    op_arity: int | None = None

    @property
    def op_inputs(self) -> tuple[str, ...]:
        return self.inputs if self.op_arity is None else self.inputs[: self.op_arity]

    def __str__(self) -> str:
        tail = "".join(
            f" ; {s.op}({', '.join('.' if i == RUNNING else self.inputs[i] for i in s.operands)})"
            for s in self.epilogue
        )
        ins = ", ".join(i or "-" for i in self.op_inputs)
        attrs = f" {{{self.attrs}}}" if len(self.attrs) else ""
        return f"{', '.join(self.outputs)} = {self.op}({ins}){attrs}{tail}  # {self.name}"


@dataclasses.dataclass(frozen=True)
class Graph:
    """Nodes in execution order, with the specs of inputs and (once inferred) of every value."""

    name: str
    nodes: tuple[Node, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    specs: Mapping[str, TensorSpec]
    constants: Mapping[str, Constant] = dataclasses.field(default_factory=dict)
    metadata: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        for field in ("specs", "constants", "metadata"):
            object.__setattr__(self, field, MappingProxyType(dict(getattr(self, field))))

    def __reduce__(self) -> tuple[Any, ...]:
        """What a read-only mapping lacks: copies and pickles of a graph."""
        values = (getattr(self, field.name) for field in dataclasses.fields(self))
        return Graph, tuple(dict(v) if isinstance(v, MappingProxyType) else v for v in values)

    def replace(self, **changes: Any) -> Graph:
        return dataclasses.replace(self, **changes)

    def spec(self, name: str) -> TensorSpec:
        """Spec of an input, a constant or (after shape inference) any value; KeyError if unknown."""
        constant = self.constants.get(name)
        return constant.spec if constant is not None else self.specs[name]

    def input_specs(self) -> dict[str, TensorSpec]:
        """Specs of the inputs as declared; the shape is ANY_SHAPE where not even the rank is."""
        unranked: Mapping[str, DType] = self.metadata.get("unranked", {})
        return {
            n: self.specs[n] if n in self.specs else TensorSpec(ANY_SHAPE, unranked[n])
            for n in self.inputs
        }

    def producers(self) -> dict[str, Node]:
        return {out: node for node in self.nodes for out in node.outputs if out}

    def consumers(self) -> dict[str, list[Node]]:
        """Nodes that read each value; a graph output is not a node and is not counted."""
        uses: dict[str, list[Node]] = {}
        for node in self.nodes:
            for name in dict.fromkeys(node.inputs):
                if name:
                    uses.setdefault(name, []).append(node)
        return uses

    def __str__(self) -> str:
        def described(names: Iterable[str]) -> str:
            return ", ".join(f"{n}: {self.specs.get(n, '?')}" for n in names)

        lines = [f"graph {self.name}({described(self.inputs)})"]
        lines += [
            f"  constant {name}: {constant.spec}" for name, constant in self.constants.items()
        ]
        for node in self.nodes:
            specs = ", ".join(str(self.specs.get(o, "?")) for o in node.outputs if o)
            lines.append(f"  {node}  -> {specs}")
        lines.append(f"  return {described(self.outputs)}")
        return "\n".join(lines)

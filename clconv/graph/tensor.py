"""What describes one value: DType, Layout, TensorSpec, and Constant for what is known before a run.

Everything is immutable. Shapes are logical and always in NCHW order, whatever layout a value is stored in.
"""

from __future__ import annotations

import enum
import functools
import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from clconv.records import record


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

    @functools.cached_property
    def numpy(self) -> np.dtype[Any]:
        return np.dtype(self.value)

    @functools.cached_property
    def itemsize(self) -> int:
        return self.numpy.itemsize

    @functools.cached_property
    def is_float(self) -> bool:
        return self.numpy.kind == "f"

    @classmethod
    def of(cls, dtype: Any) -> DType:
        """The DType of a NumPy dtype or array; ValueError if clconv has none for it."""
        found = getattr(dtype, "dtype", dtype)
        known = _OF_NUMPY.get(found) if isinstance(found, np.dtype) else None
        return known or cls(np.dtype(found).name)


_OF_NUMPY = {dtype.numpy: dtype for dtype in DType}


@record(frozen=True)
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

MOST_AXES = int(getattr(np, "MAXDIMS", 64))  # of NumPy's arrays; NumPy 2 has no name for it

ANY_SHAPE = (...,)  # of an input that does not even say how many axes it has


@record(frozen=True, repr=False)
class TensorSpec:
    """Logical shape (NCHW order), element type and layout of a value."""

    shape: tuple[Any, ...]  # str or None: known only when an input arrives
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
        return TensorSpec(self.shape, self.dtype, layout)

    @classmethod
    def of(cls, array: np.ndarray) -> TensorSpec:
        return cls(tuple(array.shape), DType.of(array))

    def __str__(self) -> str:
        sizes = self._named_sizes()
        short = all(len(size) == 1 or not size.isidentifier() for size in sizes)
        dims = ("x" if short else " x ").join(sizes) or "scalar"
        suffix = "" if self.layout.is_plain else f":{self.layout}"
        return f"{self.dtype.value}[{dims}]{suffix}"

    __repr__ = __str__  # dictionaries of specs are printed

    def _named_sizes(self) -> list[str]:
        """The sizes in words. Those of a picture that have no name of their own get ONNX's letters."""
        sizes = ["?" if d is None else "..." if d is ... else str(d) for d in self.shape]
        if self.rank != 4:
            return sizes
        letters = "N???"
        if isinstance(self.shape[1], int):
            letters = "N?HW"
        elif isinstance(self.shape[3], int):
            letters = "NHW?"
        if not set(letters) & set(sizes) - {"?"}:
            sizes = [n if s == "?" else s for s, n in zip(sizes, letters, strict=True)]
        return sizes


_constant_keys = itertools.count()


# A re-readable constant of fewer bytes is kept once read; a larger one is read again when asked for.
_KEPT_BYTES = 1 << 16


@record(frozen=True)
class Integers:
    """What a constant of floats was before it was dequantised: (values - zero) * scale.

    values: int8 or uint8. zero, scale: one number, or one for each index of `axis`.
    """

    values: Constant
    zero: np.ndarray
    scale: np.ndarray
    axis: int


class Constant:
    """A tensor known before the first run. `key` is unique for the life of the process, so that device
    copies can be shared between plans.

    Weights that can be read again (from the model's file, or computed from other constants) are not held
    in memory: `array` reads them each time, and whoever needs one uploads it and lets it go.

    Constants of the same spec and bytes are equal. A copy is the constant itself; pickled, it takes its values along.
    integers: what kernels on bytes read in its place; a constant that a pass computes from it has none.
    is_folded: whether it was computed from others by folding, and is not what the model itself holds.
    """

    __slots__ = ("_array", "_read", "derived", "integers", "is_folded", "key", "spec")

    def __init__(self, array: Any) -> None:
        self._array: np.ndarray | None = np.asarray(array)
        self._array.flags.writeable = False
        self._read: Callable[[], np.ndarray] | None = None
        self.spec = TensorSpec.of(self._array)
        self.key = next(_constant_keys)
        self.derived: dict[str, Constant] = {}  # constants made from this one, by how
        self.integers: Integers | None = None
        self.is_folded = False

    @classmethod
    def reread(cls, spec: TensorSpec, read: Callable[[], np.ndarray]) -> Constant:
        """A constant of that spec whose value read() gives, the same at every call."""
        constant = cls.__new__(cls)
        constant._array, constant._read = None, read
        constant.spec, constant.key, constant.derived = spec, next(_constant_keys), {}
        constant.integers, constant.is_folded = None, False
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
        return _unpickled, (self.array, self.integers)

    def __repr__(self) -> str:
        return f"Constant({self.spec})"


def _unpickled(array: np.ndarray, integers: Integers | None) -> Constant:
    constant = Constant(array)
    constant.integers = integers
    return constant

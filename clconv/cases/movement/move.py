"""Cases of Transpose, Concat, Split, Slice, Expand and Tile."""

from __future__ import annotations

from typing import Any

from clconv.cases.base import Case, Operand, data, ints


def transpose(label: str, shape: tuple[int, ...], *perm: int, dtype: str = "float32") -> Case:
    return Case("Transpose", label, (data(*shape, dtype=dtype, high=9),), {"perm": perm})


def concat(label: str, axis: int, *shapes: tuple[int, ...], dtype: str = "float32") -> Case:
    return Case(
        "Concat", label, tuple(data(*s, dtype=dtype, high=9) for s in shapes), {"axis": axis}
    )


def split(label: str, shape: tuple[int, ...], outputs: int, *parts: int, **attrs: Any) -> Case:
    return Case("Split", label, (data(*shape), *([ints(*parts)] if parts else [])), attrs, outputs)


def cut(label: str, shape: tuple[int, ...], *numbers: Any, dtype: str = "float32") -> Case:
    """numbers: starts, ends, axes, steps, the last two optional."""
    lists: list[Operand | None] = [None if n is None else ints(*n) for n in numbers]
    return Case("Slice", label, (data(*shape, dtype=dtype, high=9), *lists))


END = 2**63 - 1
CASES = (
    transpose("matrix", (37, 53), 1, 0),
    transpose("reversed", (3, 5, 7)),
    transpose("to channels last", (2, 13, 5, 7), 0, 2, 3, 1),
    transpose("to channels first", (2, 5, 7, 13), 0, 3, 1, 2),
    transpose("heads", (2, 9, 4, 6), 0, 2, 1, 3),
    transpose("identity", (3, 4, 5), 0, 1, 2),
    transpose("5-D", (2, 3, 4, 5, 2), 4, 0, 3, 1, 2),
    transpose("6-D pixel shuffle", (1, 2, 2, 3, 4, 5), 0, 3, 4, 1, 5, 2),
    transpose("vector", (7,), 0),
    transpose("channel shuffle", (1, 2, 29, 5, 7), 0, 2, 1, 3, 4),
    transpose("3 channels last", (2, 3, 9, 11), 0, 2, 3, 1),
    transpose("3 channels first", (2, 9, 11, 3), 0, 3, 1, 2),
    transpose("batch to channels", (16, 9, 4, 5), 1, 0, 2, 3),
    *(transpose(d, (3, 5, 4), 2, 0, 1, dtype=d) for d in ("int64", "int32", "uint8", "bool")),
    concat("channels", 1, (1, 16, 5, 7), (1, 24, 5, 7), (1, 8, 5, 7)),
    concat("odd channels", 1, (2, 3, 5, 4), (2, 13, 5, 4)),
    concat("first axis", 0, (2, 5), (3, 5)),
    concat("last axis", -1, (2, 3, 5), (2, 3, 1), (2, 3, 7)),
    concat("one input", 0, (3, 4)),
    concat("empty input", 1, (2, 3), (2, 0), (2, 4)),
    concat("blocks and a rest", 1, (1, 16, 5, 7), (1, 13, 5, 7)),
    concat("rest in front", 1, (2, 12, 5, 7), (2, 36, 5, 7), (2, 5, 5, 7)),
    concat("width", 3, (2, 13, 4, 3), (2, 13, 4, 9)),
    concat("all empty", 0, (0, 4), (0, 4)),
    concat("many inputs", 1, *[(1, i % 3 + 1, 4) for i in range(17)]),
    *(concat(d, 0, (3, 5), (2, 5), dtype=d) for d in ("int64", "int32", "uint8", "bool")),
    split("halves", (1, 16, 5, 6), 2, axis=1),
    split("given parts", (2, 13, 4), 3, 5, 1, 7, axis=1),
    split("uneven", (7, 3), 3, num_outputs=3),
    split("last axis", (3, 4, 6), 2, 2, 4, axis=-1),
    split("empty part", (4, 3), 2, 4, 0, axis=0),
    split("channels inside a block", (2, 58, 3, 5), 2, axis=1),
    split("height", (1, 9, 7, 4), 2, 3, 4, axis=2),
    split("single", (5,), 1, axis=0),
    cut("crop", (1, 7, 9, 11), (1, 2), (8, 9), (2, 3)),
    cut("no axes", (5, 7), (1, 2), (4, 7)),
    cut("to the end", (2, 9, 4), (3,), (END,), (1,)),
    cut("from the end", (2, 9, 4), (-4,), (-1,), (1,)),
    cut("every other", (1, 3, 8, 9), (0, 1), (END, END), (2, 3), (2, 2)),
    cut("reversed", (3, 7), (-1,), (-END,), (1,), (-1,)),
    cut("reversed by 3", (2, 11, 3), (9,), (0,), (1,), (-3,)),
    cut("clamped", (4, 5), (-100, 1), (2, 100), (0, 1)),
    cut("nothing", (4, 5), (3,), (1,), (0,)),
    cut("channels", (1, 24, 5, 6), (8,), (16,), (1,)),
    cut("channels inside a block", (2, 29, 4, 5), (5,), (23,), (1,)),
    cut("every other channel", (1, 24, 4, 5), (1,), (END,), (1,), (2,)),
    cut("mirrored columns", (1, 3, 5, 37), (-1,), (-END,), (3,), (-1,)),
    cut("every other column", (1, 3, 4, 37), (1,), (END,), (3,), (2,)),
    cut("steps without axes", (6, 7), (0, 1), (6, 7), None, (2, 3)),
    *(cut(d, (5, 7), (1,), (6,), (1,), (2,), dtype=d) for d in ("int64", "int32", "uint8", "bool")),
    Case("Expand", "rows", (data(3, 1), ints(3, 7))),
    Case("Expand", "new axes", (data(5), ints(2, 3, 5))),
    Case("Expand", "shape with ones", (data(2, 3, 4), ints(1, 1))),
    Case("Expand", "scalar", (data(), ints(3, 2))),
    Case("Expand", "channels", (data(1, 13, 1, 1), ints(2, 13, 5, 7))),
    Case("Expand", "int64", (data(1, 4, dtype="int64", high=9), ints(3, 4))),
    Case("Expand", "bool", (data(4, 1, dtype="bool"), ints(1, 3))),
    Case("Tile", "both axes", (data(3, 5), ints(2, 3))),
    Case("Tile", "image", (data(1, 3, 4, 5), ints(1, 2, 1, 2))),
    Case("Tile", "rows of an image", (data(2, 13, 3, 5), ints(2, 1, 2, 3))),
    Case("Tile", "nothing", (data(2, 3), ints(0, 2))),
    Case("Tile", "once", (data(3, 4), ints(1, 1))),
    Case("Tile", "int32", (data(2, 3, dtype="int32", high=9), ints(3, 1))),
)

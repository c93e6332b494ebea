"""More operators at sizes of networks: those of integers and bools, of indices, and movements that are rarer."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.operators.sized import IMAGE, WORDS, sized
from clconv.cases.base import Case, Operand, data, ints, weight


def more_cases() -> list[Case]:
    return [*whole_numbers(), *indices(), *moved(), *others()]


def whole_numbers() -> Iterator[Case]:
    bools = Operand(IMAGE, "bool")
    for op in ("And", "Or", "Xor"):
        yield sized(op, bools, bools)
    yield sized("Not", bools)
    for dtype in ("int32", "int64"):
        numbers = Operand(IMAGE, dtype, low=1, high=99)
        for op in ("Add", "Mul", "Equal", "Less", "Max"):
            yield sized(op, numbers, numbers, label=dtype)
        for op in ("Div", "Mod"):
            yield sized(op, numbers, numbers, label=dtype)
        yield sized("Where", bools, numbers, numbers, label=dtype)
        yield sized("ReduceSum", numbers, ints(2, 3), label=dtype, keepdims=1)
        yield sized("ReduceMax", numbers, ints(1), label=dtype, keepdims=1)
    for source, target in (("bool", "float32"), ("float32", "bool"), ("float32", "int64"), ("float32", "uint8"),
                           ("int32", "int64"), ("float16", "float32")):  # fmt: skip
        yield sized("Cast", Operand(IMAGE, source, high=100), label=f"{source} {target}", to=target)


def indices() -> Iterator[Case]:
    at = Operand(IMAGE, "int64", low=0, high=56)
    yield sized("ScatterElements", data(*IMAGE), at, data(*IMAGE), label="axis 3", axis=3)
    some = Operand((1, 16, 56, 56), "int64", low=0, high=64)
    yield sized(
        "ScatterElements",
        data(*IMAGE),
        some,
        data(1, 16, 56, 56),
        label="add",
        axis=1,
        reduction="add",
    )
    rows = Operand((1000, 1), "int64", low=0, high=8400)
    yield sized("ScatterND", data(8400, 84), rows, data(1000, 84), label="rows")
    yield sized("Gather", data(1, 8400, 84), Operand((300,), "int64", low=0, high=8400), axis=1)
    yield sized(
        "GatherElements",
        data(1, 8400, 84),
        Operand((1, 300, 84), "int64", low=0, high=8400),
        axis=1,
    )
    yield sized("NonZero", Operand((1, 80, 8400), "bool"))
    yield sized("Compress", data(8400, 84), Operand((8400,), "bool"), axis=0)
    yield Case(
        "Unique", "sized, 8400", (Operand((8400,), "int64", high=99),), {"sorted": 1}, outputs=1
    )
    most = Operand((1,), "int64", True, values=[300])
    yield Case(
        "TopK", "sized, 1x30x8400 most 300", (data(1, 30, 8400), most), {"axis": -1}, outputs=2
    )
    yield sized("ArgMax", data(1, 8400, 80), axis=-1, keepdims=0)
    yield sized(
        "CumSum", data(1, 64, 56, 56), Operand((), "int64", True, values=3), label="last axis"
    )
    yield sized(
        "CumSum",
        Operand((1, 4096), "int64", high=2),
        Operand((), "int64", True, values=1),
        label="int64",
    )


def moved() -> Iterator[Case]:
    for perm in ((0, 3, 1, 2), (0, 1, 3, 2), (3, 2, 1, 0), (0, 2, 1, 3), (1, 0, 2, 3)):
        yield sized("Transpose", data(*IMAGE), label="".join(map(str, perm)), perm=perm)
    yield sized("Transpose", data(1, 84, 8400), label="021", perm=(0, 2, 1))
    yield sized("Transpose", data(1, 16, 4, 8400), label="0213", perm=(0, 2, 1, 3))
    for dtype in ("uint8", "float16", "int64"):
        yield sized(
            "Transpose",
            Operand((1, 224, 224, 3), dtype, high=99),
            label=f"{dtype} to NCHW",
            perm=(0, 3, 1, 2),
        )
    yield sized("Transpose", data(1, 2, 32, 56, 56), label="shuffle", perm=(0, 2, 1, 3, 4))
    yield sized("Trilu", data(12, 197, 197))
    yield sized("Expand", data(1, 1, 56, 56), ints(*IMAGE), label="channels")
    yield sized("Concat", data(1, 32, 80, 80), data(1, 32, 80, 80), label="last", axis=3)
    yield sized(
        "Slice",
        data(1, 3, 640, 640),
        ints(0, 1),
        ints(640, 640),
        ints(2, 3),
        ints(2, 2),
        label="focus",
    )


def others() -> Iterator[Case]:
    yield sized(
        "Einsum",
        data(1, 3, 197, 64),
        data(1, 3, 197, 64),
        label="bhid,bhjd",
        equation="bhid,bhjd->bhij",
    )
    yield sized("Einsum", data(*WORDS), weight(192, 192), label="bnd,de", equation="bnd,de->bne")
    yield sized("Softmax", data(1, 64, 56, 56), label="channels", axis=1)
    yield sized("LayerNormalization", data(1, 56, 56, 96), weight(96), weight(96), axis=-1)
    yield sized("ReduceMean", data(1, 64, 56, 56), ints(3), label="rows", keepdims=1)
    yield sized("ReduceMax", data(1, 64, 56, 56), ints(1), label="channels", keepdims=1)
    yield sized("ReduceSum", data(1, 64, 56, 56), ints(0, 1, 2, 3), label="all", keepdims=0)

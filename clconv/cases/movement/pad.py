"""Cases of Pad and CenterCropPad: every mode, uneven, cropping, several dtypes."""

from __future__ import annotations

from clconv.cases.base import Case, Operand, data, ints, weight

MODES = ("constant", "reflect", "edge", "wrap")


def pad(
    label: str,
    shape: tuple[int, ...],
    pads: tuple[int, ...],
    mode: str = "constant",
    axes: tuple[int, ...] | None = None,
    value: float | None = None,
    dtype: str = "float32",
) -> Case:
    operands: list[Operand | None] = [data(*shape, dtype=dtype, high=9), ints(*pads)]
    if value is not None or axes is not None:
        constant = None if value is None else weight(dtype=dtype, values=value)
        operands += [constant, None if axes is None else ints(*axes)]
    return Case("Pad", label, tuple(operands), {"mode": mode})


CASES = (
    *(pad(f"{m} image", (1, 5, 7, 6), (0, 0, 2, 1, 0, 0, 3, 2), m) for m in MODES),
    *(pad(f"{m} wide", (2, 16, 6, 7), (0, 0, 4, 5, 0, 0, 5, 4), m) for m in MODES),
    *(pad(f"{m} all axes", (3, 4, 5), (1, 2, 3, 2, 1, 4), m) for m in MODES),
    *(pad(f"{m} crop and pad", (1, 3, 8, 9), (0, 0, -2, 3, 0, 0, 1, -4), m) for m in MODES),
    *(pad(f"{m} vector", (7,), (3, 2), m) for m in MODES),
    *(pad(f"{m} axes", (2, 3, 5), (1, 2), m, axes=(-1,)) for m in MODES),
    pad("constant value", (1, 3, 4, 5), (0, 0, 1, 1, 0, 0, 1, 1), value=-1.5),
    pad("two axes value", (2, 3, 4), (1, 0, 2, 3), axes=(2, 0), value=0.25),
    pad("channels", (1, 13, 3, 4), (0, 2, 0, 0, 0, 3, 0, 0), value=0.5),
    pad("blocks of channels edge", (2, 21, 5, 4), (0, 0, 1, 0, 0, 0, 0, 3), "edge"),
    pad("nothing left", (3, 4), (-2, 1, -1, 1), value=2.5),
    Case("Pad", "value when running", (data(2, 5, 4), ints(1, 0, 2, 0, 1, 3), data())),
    pad("nothing", (2, 3), (0, 0, 0, 0)),
    pad("wrap around twice", (3,), (8, 7), "wrap"),
    *(pad(f"{m} as much as the axis", (3, 2), (0, 2, 3, 0), m) for m in MODES[1:]),
    *(pad(f"{m} more than the axis", (1, 3, 3, 2), (0, 0, 7, 5, 0, 0, 4, 9), m) for m in MODES),
    *(pad(f"{m} wide blocks", (1, 17, 2, 5), (0, 0, 5, 4, 0, 0, 2, 11), m) for m in MODES[1:]),
    *(pad(f"{m} one element", (1, 2, 1, 1), (0, 0, 3, 2, 0, 0, 1, 4), m) for m in MODES[1:]),
    *(pad(f"{m} crop to few", (2, 9), (0, -6, 0, 8), m) for m in MODES[1:]),
    *(pad(f"{m} all axes twice", (2, 3, 2), (5, 4, 3, 2, 7, 3), m) for m in MODES[1:]),
    *(
        pad(f"reflect far {dtype}", (3, 4), (9, 5), "reflect", axes=(-1,), dtype=dtype)
        for dtype in ("float64", "int16", "uint8")
    ),
    pad("int64", (3, 4), (1, 0, 0, 2), dtype="int64", value=7),
    pad("int32", (3, 4), (1, 0, 0, 2), "edge", dtype="int32"),
    pad("uint8", (3, 4), (1, 0, 0, 2), "reflect", dtype="uint8"),
    pad("bool", (3, 4), (1, 0, 0, 2), dtype="bool"),
    Case("CenterCropPad", "crop", (data(9, 8, 3), ints(4, 5, 3))),
    Case("CenterCropPad", "pad", (data(4, 5), ints(9, 8))),
    Case("CenterCropPad", "crop and pad axes", (data(2, 7, 4), ints(4, 7)), {"axes": (1, -1)}),
)

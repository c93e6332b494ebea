"""Cases of DFT, STFT and MelWeightMatrix: odd lengths, padding and cutting, both directions, any axis."""

from __future__ import annotations

from clconv.cases.base import Case, Operand, data, weight


def _number(value: int | float, dtype: str = "int64") -> Operand:
    return Operand((), dtype, constant=True, values=value)


def dft(
    label: str, *shape: int, axis: int | None = None, length: int | None = None, **attrs: int
) -> Case:
    inputs = [
        data(*shape),
        None if length is None else _number(length),
        None if axis is None else _number(axis),
    ]
    while inputs[-1] is None:
        inputs.pop()
    return Case("DFT", label, tuple(inputs), attrs)


def stft(
    label: str, signal: Operand, step: int, window: Operand | None, length: int | None, **attrs: int
) -> Case:
    inputs = [signal, _number(step), window, None if length is None else _number(length)]
    while inputs[-1] is None:
        inputs.pop()
    return Case("STFT", label, tuple(inputs), attrs)


CASES = (
    dft("real", 2, 16, 1),
    dft("one-sided", 3, 15, 1, onesided=1),
    dft("complex", 2, 13, 2),
    dft("inverse", 2, 12, 2, inverse=1),
    dft("one-sided inverse", 2, 7, 2, inverse=1, onesided=1),
    dft("one-sided inverse of odd length", 2, 7, 2, inverse=1, onesided=1, length=13),
    dft("zeros behind", 2, 11, 1, length=16, onesided=1),
    dft("cut", 2, 17, 2, length=8),
    dft("first axis", 6, 3, 2, axis=0),
    dft("an axis between", 2, 9, 5, 1, axis=1, onesided=1),
    dft("one number", 1, 1, 1),
    dft("of a picture", 2, 8, 8, 2, axis=-3, inverse=1),
    dft("split", 2, 144, 1),
    dft("split complex", 3, 150, 2),
    dft("split one-sided", 9, 4096, 1, onesided=1),
    dft("split thrice", 1, 17280, 2, inverse=1),
    dft("split inverse along an axis", 2, 192, 3, 2, axis=1, inverse=1),
    dft("split one-sided inverse", 2, 101, 2, inverse=1, onesided=1),
    dft("split one-sided inverse of odd length", 1, 70, 2, inverse=1, onesided=1, length=135),
    dft("split zeros behind", 2, 77, 2, length=200),
    dft("split cut", 2, 500, 1, length=300, onesided=1),
    dft("one-sided inverse of missing places", 2, 40, 2, inverse=1, onesided=1, length=160),
    dft("many lines", 12, 256, 1, onesided=1),
    dft("prime", 2, 257, 1),
    dft("prime complex", 2, 263, 2, inverse=1),
    dft("prime times two", 1, 2 * 263, 2),
    dft("square of a prime", 1, 67 * 67, 1, onesided=1),
    stft("long frames", data(1, 1500, 1), 300, weight(600), None, onesided=1),
    stft("long frames of a prime length", data(1, 600, 2), 100, None, 271, onesided=0),
    stft("window", data(2, 100, 1), 10, weight(32), None, onesided=1),
    stft("no window", data(1, 67), 7, None, 16, onesided=1),
    stft("fed window", data(2, 64, 1), 16, data(20), 20, onesided=0),
    stft("complex", data(1, 40, 2), 5, weight(15), 15, onesided=0),
    stft("one frame", data(3, 12, 1), 12, weight(12), None, onesided=1),
    Case(
        "MelWeightMatrix",
        "speech",
        (_number(20), _number(512), _number(16000), _number(20.0, "float32"), _number(7600.0, "float32")),
        {"output_datatype": "float32"},
    ),
)  # fmt: skip

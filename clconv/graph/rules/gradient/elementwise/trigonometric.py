"""Gradients of circular and hyperbolic functions and their inverses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clconv.graph.specialise.backward import Backward


def _times(back: Backward, slope: str) -> Sequence[str]:
    return [back.mul(slope, back.gradient())]


def _square(back: Backward, name: str) -> str:
    return back.mul(name, name)


def sin(back: Backward) -> Sequence[str]:
    return _times(back, back.one("Cos", back.input()))


def cos(back: Backward) -> Sequence[str]:
    return _times(back, back.neg(back.one("Sin", back.input())))


def tan(back: Backward) -> Sequence[str]:
    """1 + y^2"""
    return _times(back, back.add(_square(back, back.output()), back.number(1.0)))


def sinh(back: Backward) -> Sequence[str]:
    return _times(back, back.one("Cosh", back.input()))


def cosh(back: Backward) -> Sequence[str]:
    return _times(back, back.one("Sinh", back.input()))


def asin(back: Backward) -> Sequence[str]:
    return _over(back, back.one("Sqrt", _one_less_square(back)))


def acos(back: Backward) -> Sequence[str]:
    return _over(back, back.neg(back.one("Sqrt", _one_less_square(back))))


def atan(back: Backward) -> Sequence[str]:
    return _over(back, back.add(_square(back, back.input()), back.number(1.0)))


def asinh(back: Backward) -> Sequence[str]:
    return _over(back, back.one("Sqrt", back.add(_square(back, back.input()), back.number(1.0))))


def acosh(back: Backward) -> Sequence[str]:
    return _over(back, back.one("Sqrt", back.sub(_square(back, back.input()), back.number(1.0))))


def atanh(back: Backward) -> Sequence[str]:
    return _over(back, _one_less_square(back))


def _over(back: Backward, name: str) -> Sequence[str]:
    return [back.div(back.gradient(), name)]


def _one_less_square(back: Backward) -> str:
    return back.sub(back.number(1.0), _square(back, back.input()))

"""The functions of recurrent layers written with operators, and their slopes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clconv.graph.ops.recurrent_functions import DEFAULTS, activation_settings

if TYPE_CHECKING:
    from clconv.graph.specialise.backward import Backward


def activated(back: Backward, direction: int, index: int, z: str) -> tuple[str, str]:
    """Value and slope at z of a layer's function: the one of that index among those of a direction."""
    op, number = back.node.op, back.number
    own = len(DEFAULTS[op])
    name, a, b = activation_settings(op, back.attrs)[direction * own + index]
    alpha, beta = float(a or 0), float(b or 0)
    dtype = back.spec_of(z).dtype

    def one_where(op: str, low: float) -> str:
        return back.cast(back.one(op, z, number(low)), dtype)

    def less_square(y: str) -> str:
        return back.sub(number(1), back.mul(y, y))

    match name:
        case "sigmoid":
            y = back.one("Sigmoid", z)
            return y, back.mul(y, back.sub(number(1), y))
        case "tanh":
            y = back.one("Tanh", z)
            return y, less_square(y)
        case "relu":
            return back.one("Relu", z), one_where("Greater", 0)
        case "softsign":
            root = back.add(back.one("Abs", z), number(1))
            return back.one("Softsign", z), back.one("Reciprocal", back.mul(root, root))
        case "softplus":
            return back.one("Softplus", z), back.one("Sigmoid", z)
        case "leakyrelu":
            is_low = back.one("Less", z, number(0))
            slope = back.one("Where", is_low, number(alpha), number(1))
            return back.one("LeakyRelu", z, alpha=alpha), slope
        case "thresholdedrelu":
            return back.one("ThresholdedRelu", z, alpha=alpha), one_where("Greater", alpha)
        case "elu":
            y = back.one("Elu", z, alpha=alpha)
            is_low = back.one("Less", z, number(0))
            return y, back.one("Where", is_low, back.add(y, number(alpha)), number(1))
        case "affine":
            y = back.add(back.mul(z, number(alpha)), number(beta))
            return y, back.expand_to(number(alpha), back.spec_of(z).shape)
        case "scaledtanh":
            y = back.one("Tanh", back.mul(z, number(beta)))
            return back.mul(y, number(alpha)), back.mul(less_square(y), number(alpha * beta))
        case _:
            assert name == "hardsigmoid", name
            y = back.one("HardSigmoid", z, alpha=alpha, beta=beta)
            inside = back.one(
                "And", back.one("Greater", y, number(0)), back.one("Less", y, number(1))
            )
            return y, back.mul(back.cast(inside, dtype), number(alpha))

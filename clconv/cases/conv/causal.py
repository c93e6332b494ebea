"""Cases of CausalConvWithState: one tap, inputs shorter than the window, one value at a time, with and without state."""

from __future__ import annotations

from clconv.cases.base import Case, Operand, data, weight


def causal(
    label: str,
    x: Operand,
    w: Operand,
    bias: Operand | None = None,
    past: Operand | None = None,
    **attrs: str,
) -> Case:
    inputs = [x, w, bias, past]
    while inputs[-1] is None:
        inputs.pop()
    return Case("CausalConvWithState", label, tuple(inputs), attrs, 2)


CASES = (
    causal("no state", data(2, 5, 19), weight(5, 1, 4)),
    causal("bias", data(2, 5, 19), weight(5, 1, 4), weight(5)),
    causal("state", data(3, 7, 11), weight(7, 1, 3), None, data(3, 7, 2)),
    causal("fed weights", data(2, 4, 8), data(4, 1, 4), data(4), data(2, 4, 3), activation="silu"),
    causal("one value", data(1, 33, 1), weight(33, 1, 4), weight(33), data(1, 33, 3), activation="swish"),
    causal("one tap", data(2, 3, 9), weight(3, 1, 1), weight(3)),
    causal("shorter than the window", data(2, 4, 2), weight(4, 1, 7)),
    causal("one channel", data(1, 1, 6), weight(1, 1, 4), None, data(1, 1, 3)),
)  # fmt: skip

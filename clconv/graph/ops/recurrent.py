"""Recurrent layers: LSTM, GRU and RNN, forward, reverse and bidirectional, with sequence lengths.

Gate order in W, R and B: LSTM i, o, f, c; GRU z, r, h. Layout 0 is (time, batch, ...), layout 1 is
(batch, time, ...).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from clconv.errors import InputError
from clconv.graph.ir import Node, TensorSpec
from clconv.graph.ops.base import Call, Cost, Op, register, same_dtype
from clconv.graph.ops.hooks import Half, Hooks
from clconv.graph.ops.numeric import expect_kind, moved_bytes
from clconv.graph.ops.recurrent_functions import (
    ACTIVATIONS,
    DEFAULTS,
    activation_names,
    activation_settings,
    directions,
)
from clconv.graph.rules.gradient.recurrent.layer import recurrent

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
DIRECTIONS = ("forward", "reverse", "bidirectional")
Function = Callable[[np.ndarray], np.ndarray]


def _apply(function: Callable[..., Any], alpha: Any, beta: Any, x: np.ndarray) -> np.ndarray:
    return np.asarray(function(x, alpha, beta))


def _functions(op: str, at: Any) -> list[Function]:
    return [
        functools.partial(_apply, ACTIVATIONS[name][0], alpha, beta)
        for name, alpha, beta in activation_settings(op, at)
    ]


def _infer(call: Call) -> Sequence[TensorSpec]:
    op, at, x = call.node.op, call.attrs, call.spec(0)
    expect_kind(call, 0, "float")
    states = (0, 1, 2, 3, 5, 6, 7) if op == "LSTM" else (0, 1, 2, 3, 5)
    dtype = same_dtype(call, *states)
    call.expect(at.direction in DIRECTIONS, f"direction {at.direction!r} is not in {DIRECTIONS}")
    call.expect(at.layout in (0, 1), "layout must be 0 or 1")
    call.expect(x.rank == 3 and call.spec(2).rank == 3, "X and R must have rank 3")
    d, gates, hidden = directions(at), GATES[op], call.spec(2).shape[2]
    call.expect(at.hidden_size in (0, hidden), f"hidden_size {at.hidden_size} but R has {hidden}")
    names = activation_names(op, at)
    call.expect(
        len(names) >= len(DEFAULTS[op]) * d and all(n.lower() in ACTIVATIONS for n in names),
        f"activations {names} must be {len(DEFAULTS[op]) * d} of {sorted(ACTIVATIONS)}",
    )
    batch, time = x.shape[:2] if at.layout else x.shape[1::-1]
    state = (batch, d, hidden) if at.layout else (d, batch, hidden)
    wanted = {
        1: (d, gates * hidden, x.shape[2]),
        2: (d, gates * hidden, hidden),
        3: (d, 2 * gates * hidden),
        4: (batch,),
        5: state,
        6: state,
        7: (d, 3 * hidden),
    }
    for i, shape in wanted.items():
        if call.has(i):
            call.expect(call.spec(i).shape == shape, f"input {i} must have shape {shape}")
    lengths = call.values[4] if call.has(4) else None
    if lengths is not None and lengths.size:
        fits = lengths.min() >= 0 and lengths.max() <= time
        call.expect(fits, f"sequence lengths {lengths.tolist()} must be in 0..{time}")
    sequence = (batch, time, d, hidden) if at.layout else (time, d, batch, hidden)
    shapes = [sequence, state, state] if op == "LSTM" else [sequence, state]
    return [TensorSpec(s, dtype) for s in shapes]


Step = Callable[[np.ndarray, list[np.ndarray]], list[np.ndarray]]


def _lstm_step(
    at: Any, f: Sequence[Function], w: np.ndarray, r: np.ndarray, b: np.ndarray, p: np.ndarray
) -> Step:
    def step(x: np.ndarray, state: list[np.ndarray]) -> list[np.ndarray]:
        h, c = state
        i, o, forget, new = np.split(x @ w.T + h @ r.T + b.reshape(2, -1).sum(0), 4, -1)
        peep_i, peep_o, peep_f = np.split(p, 3)
        clip = _clipper(at)
        i = f[0](clip(i + peep_i * c))
        forget = 1 - i if at.input_forget else f[0](clip(forget + peep_f * c))
        c = forget * c + i * f[1](clip(new))
        return [f[0](clip(o + peep_o * c)) * f[2](c), c]

    return step


def _gru_step(
    at: Any, f: Sequence[Function], w: np.ndarray, r: np.ndarray, b: np.ndarray, p: np.ndarray
) -> Step:
    def step(x: np.ndarray, state: list[np.ndarray]) -> list[np.ndarray]:
        (h,) = state
        (wz, wr, wh), (rz, rr, rh) = np.split(w, 3), np.split(r, 3)
        bz, br, bh, cz, cr, ch = np.split(b, 6)
        clip = _clipper(at)
        z = f[0](clip(x @ wz.T + h @ rz.T + bz + cz))
        reset = f[0](clip(x @ wr.T + h @ rr.T + br + cr))
        before = reset * (h @ rh.T + ch) if at.linear_before_reset else (reset * h) @ rh.T + ch
        return [(1 - z) * f[1](clip(x @ wh.T + before + bh)) + z * h]

    return step


def _rnn_step(
    at: Any, f: Sequence[Function], w: np.ndarray, r: np.ndarray, b: np.ndarray, p: np.ndarray
) -> Step:
    def step(x: np.ndarray, state: list[np.ndarray]) -> list[np.ndarray]:
        total = x @ w.T + state[0] @ r.T + b.reshape(2, -1).sum(0)
        return [f[0](_clipper(at)(total))]

    return step


def _clipper(at: Any) -> Function:
    return lambda x: np.clip(x, -at.clip, at.clip) if at.clip else x


STEPS = {"LSTM": _lstm_step, "GRU": _gru_step, "RNN": _rnn_step}


def _run(
    step: Step, x: np.ndarray, lengths: np.ndarray, state: list[np.ndarray], reverse: bool
) -> tuple[np.ndarray, list[np.ndarray]]:
    """x (time, batch, features). An ended sequence keeps its state and outputs zeros."""
    time, batch = x.shape[:2]
    out = np.zeros((time, *state[0].shape))
    for t in range(time):
        at = np.maximum(lengths - 1 - t, 0) if reverse else np.full(batch, t)
        alive = (t < lengths)[:, None]
        new = step(x[at, np.arange(batch)], state)
        state = [np.where(alive, n, s) for n, s in zip(new, state, strict=True)]
        rows = np.nonzero(alive[:, 0])[0]
        out[at[rows], rows] = new[0][rows]
    # A sequence without any step ends in zeros, not in its initial state, as in onnxruntime.
    return out, [np.where(lengths[:, None] > 0, s, 0) for s in state]


def _reference(op: str, at: Any, *arrays: np.ndarray | None) -> tuple[np.ndarray, ...]:
    given = [*arrays, *[None] * (8 - len(arrays))]
    x, w, r = (a.astype(np.float64) for a in given[:3] if a is not None)
    dtype = arrays[0].dtype if arrays[0] is not None else x.dtype
    x = x.swapaxes(0, 1) if at.layout else x
    count, hidden, batch = directions(at), r.shape[2], x.shape[1]

    lengths = np.full(batch, x.shape[0]) if given[4] is None else given[4].astype(np.int64)

    def or_zeros(array: np.ndarray | None, *shape: int) -> np.ndarray:
        return np.zeros(shape) if array is None else array.astype(np.float64)

    if ((lengths < 0) | (lengths > x.shape[0])).any():
        raise InputError(f"{op}: sequence lengths {lengths.tolist()} must be in 0..{x.shape[0]}")
    bias = or_zeros(given[3], count, 2 * GATES[op] * hidden)
    starts = []
    for initial in given[5 : 7 if op == "LSTM" else 6]:
        swap = initial is not None and at.layout
        first = initial.swapaxes(0, 1) if swap and initial is not None else initial
        starts.append(or_zeros(first, count, batch, hidden))
    peephole = or_zeros(given[7] if op == "LSTM" else None, count, 3 * hidden)
    functions = _functions(op, at)
    own = len(DEFAULTS[op])
    outs, finals = [], []
    for d in range(count):
        step = STEPS[op](at, functions[d * own : (d + 1) * own], w[d], r[d], bias[d], peephole[d])
        reverse = at.direction == "reverse" or d == 1
        out, state = _run(step, x, lengths, [s[d] for s in starts], reverse)
        outs.append(out)
        finals.append(state)
    sequence = np.stack(outs, 1)  # time, direction, batch, hidden
    states = [np.stack([f[i] for f in finals]) for i in range(len(starts))]
    if at.layout:
        sequence, states = sequence.transpose(2, 0, 1, 3), [s.swapaxes(0, 1) for s in states]
    return tuple(a.astype(dtype) for a in (sequence, *states))


def _cost(node: Node, inputs: Sequence[TensorSpec | None], outputs: Sequence[TensorSpec]) -> Cost:
    x, w, r = inputs[:3]
    assert x is not None and w is not None and r is not None
    return Cost(2 * x.shape[0] * x.shape[1] * (w.size + r.size), moved_bytes(inputs, outputs))


_SHARED = {
    "activations": (),
    "activation_alpha": (),
    "activation_beta": (),
    "clip": 0.0,
    "direction": "forward",
    "hidden_size": 0,
    "layout": 0,
}
for _name, _most, _own in (
    ("LSTM", 8, {"input_forget": 0}),
    ("GRU", 6, {"linear_before_reset": 0}),
    ("RNN", 6, {}),
):
    register(
        Op(
            _name,
            _infer,
            lambda at, *arrays, op=_name: _reference(op, at, *arrays),
            _cost,
            {**_SHARED, **_own},
            inputs=(3, _most),
            hooks=Hooks(
                known=None,
                shape_input=None,
                transposed=None,
                images=None,
                half=Half.KEPT,
                epilogue=False,
                pad=False,
                keeps_elements=False,
                gradient=recurrent,
            ),
        )
    )

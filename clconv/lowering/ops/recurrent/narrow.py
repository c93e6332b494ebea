"""Recurrent weights of bytes, which a time step reads all of: whether a layer has some, and how its state meets them."""

from __future__ import annotations

import numpy as np

from clconv.graph.ir import DType
from clconv.graph.ops.recurrent_functions import activation_settings
from clconv.lowering.model.kernel import Problem
from clconv.lowering.ops.recurrent.layer import RecurrentLayer

# Units whose weights lie side by side, by the instruction that multiplies them.
_TOGETHER = {"": 1, "words": 2, "vnni": 4}


def byte_steps(problem: Problem, directions: int, index: int = 2) -> np.ndarray | None:
    """Of each direction what one step of R (or of W, with index 1) is, if it was of int8 before it was dequantised: a time
    step reads all of R, and bytes are a quarter. None if it was not, or on a GPU."""
    known = problem.constants[problem.node.inputs[index]].integers
    if known is None or not problem.device.is_cpu or problem.device.vector_width == 1:
        return None
    if known.values.spec.dtype is not DType.INT8 or np.any(known.zero):
        return None
    if known.scale.size != 1 and (known.axis != 0 or known.scale.size != directions):
        return None
    return np.ascontiguousarray(np.broadcast_to(known.scale.reshape(-1), directions), np.float32)


def state_rounding(problem: Problem, layer: RecurrentLayer) -> int:
    """Into how many steps up to 1 a state may be rounded, if products of 16 bits are exact there and the state of a layer can
    only be from -1 to 1: as many as 16 bits hold, or as sums over all units in 32 bits allow; else 0."""
    device = problem.device
    if not device.is_cpu or not device.dot_verified or device.dot not in ("vnni", "words"):
        return 0
    if problem.node.op != "LSTM" or layer.hidden >= 1 << 15 or device.vector_width not in (8, 16):
        return 0
    functions = activation_settings("LSTM", problem.node.attrs)
    if any(name not in ("sigmoid", "tanh") for name, _, _ in functions):
        return 0
    # The bytes of a state that vpdpbusd multiplies apart have smaller sums.
    return 32767 if device.dot == "vnni" else min(32767, ((1 << 31) - 1) // (128 * layer.hidden))


def side_by_side(lines: np.ndarray, dot: str) -> np.ndarray:
    """Weights (directions, blocks, hidden, gates, block) as (..., tuples of hidden, gates, block, units of a tuple) for the
    instruction, zeros behind the last unit; as they are for none."""
    together = _TOGETHER[dot]
    if together > 1:
        behind = (0, -lines.shape[2] % together)
        lines = np.pad(lines, ((0, 0), (0, 0), behind, (0, 0), (0, 0)))
        tuples = lines.reshape(*lines.shape[:2], -1, together, *lines.shape[3:])
        lines = np.moveaxis(tuples, 3, 5)
    return np.ascontiguousarray(lines)

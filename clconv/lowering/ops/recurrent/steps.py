"""One matrix product for the inputs of all times, then one or two launches a time step."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np

from clconv.graph.ir import DType
from clconv.graph.ops.base import Cost
from clconv.lowering.copies.movement import outputs
from clconv.lowering.model.arguments import (
    Argument,
    Packed,
    Packing,
    Read,
    Scalar,
    Table,
    Write,
)
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Lowered, Problem
from clconv.lowering.ops.recurrent.inputs import Projected, RecurrentInputs
from clconv.lowering.ops.recurrent.layer import RecurrentLayer, activations, length_type, lengths
from clconv.lowering.ops.recurrent.narrow import byte_steps, side_by_side, state_rounding
from clconv.lowering.shared.composite import Composite, Value
from clconv.lowering.shared.fill import fill_call
from clconv.records import record

_MOST_STEPS = 4096  # launches of one node: more take longer to plan than to run in one kernel


def steps_obstacle(problem: Problem) -> str | None:
    if problem.x.dtype is not DType.FLOAT32:
        return f"needs float32, got {problem.x.dtype.value}"
    for index, name in ((1, "W"), (2, "R"), (3, "B"), (7, "P")):
        if problem.has(index) and not problem.is_constant(index):
            return f"needs a constant {name}"
    functions = activations(problem)
    if any(own != functions[0] for own in functions):
        return "needs the same activations in both directions"
    launches = 2 if _is_split(problem) else 1
    time = RecurrentLayer.of(problem).time
    if time * launches > _MOST_STEPS:
        return f"{time} time steps would be more than {_MOST_STEPS} launches"
    return None


def _is_split(problem: Problem) -> bool:
    """Whether a step of a GRU takes two launches: its new state needs the reset of all units."""
    return problem.node.op == "GRU" and not problem.node.attrs.linear_before_reset


@record(frozen=True)
class _Part:
    """What one launch does of a step: its kind (see step.cl.mako), and the gates first..end that it makes."""

    kind: str
    first: int
    end: int


class _Steps:
    """Lowers one layer step by step."""

    def __init__(self, problem: Problem) -> None:
        self.problem, self.composite = problem, Composite(problem)
        self.layer = layer = RecurrentLayer.of(problem)
        self.vector = problem.device.vector_width if problem.device.is_cpu else 1
        self.padded = -(-layer.hidden // self.vector) * self.vector
        # Lanes that lie side by side: those of one item on a CPU, all units where items load together.
        self.block = self.vector if problem.device.is_cpu else self.padded
        self.steps = byte_steps(problem, layer.directions)
        self.rounding = 0 if self.steps is None else state_rounding(problem, layer)
        self._counted: list[Value] = []  # the state in 16 bits, before and after a step
        self._inputs = RecurrentInputs(self.composite, layer, self.padded, bool(self.rounding))

    def run(self) -> Lowered:
        layer, problem, composite = self.layer, self.problem, self.composite
        projected = self._inputs.project()
        shape = (layer.directions, layer.batch, self.padded)
        states = [composite.scratch("h", shape), composite.scratch("h_next", shape)]
        self._start(states[0], 5)
        if self.rounding:
            room = (*shape[:2], 2 * self.padded)
            self._counted = [composite.scratch("counted", room, DType.UINT8) for _ in range(2)]
        extra = []
        if problem.node.op == "LSTM":
            extra = [composite.scratch("c", shape)]
            self._start(extra[0], 6)
        elif _is_split(problem):
            extra = [composite.scratch("z", shape), composite.scratch("reset", shape)]
        found = {i: write for i, write, _ in outputs(problem)}
        for t in range(layer.time):
            before, after = states[t % 2], states[(t + 1) % 2]
            if _is_split(problem):
                self._step(_Part("GRU gates", 0, 2), t, projected, before, None, extra, None)
                self._step(_Part("GRU new", 2, 3), t, projected, before, after, extra, found.get(0))
            else:
                kind = "GRU linear" if problem.node.op == "GRU" else problem.node.op
                part = _Part(kind, 0, layer.gates)
                self._step(part, t, projected, before, after, extra, found.get(0))
        self._finish(states[layer.time % 2], found.get(1))
        if problem.node.op == "LSTM":
            self._finish(extra[0], found.get(2))
        return composite.lowered()

    def _recurrent(self, part: _Part, dot: str) -> list[tuple[str, Argument]]:
        """R as (directions, blocks, tuples of hidden, gates, block, units side by side), and what counts its bytes."""
        layer, block, name = self.layer, self.block, self.problem.node.inputs[2]

        def pack(array: np.ndarray) -> np.ndarray:
            whole = array.reshape(layer.directions, layer.gates, layer.hidden, layer.hidden)
            units = self._inputs.units(whole[:, part.first : part.end], 2)
            blocks = units.reshape(*units.shape[:2], -1, block, layer.hidden)
            return side_by_side(blocks.transpose(0, 2, 4, 1, 3), dot)

        gates = (part.first, part.end)
        settings = (layer.directions, layer.gates, gates, block, self.padded, dot)
        if self.steps is None:
            return [("r", Packed(name, Packing("recurrent.r", settings, pack)))]
        steps, settings = self.steps.reshape(-1, 1, 1), (*settings, *self.steps.tolist())

        def pack_bytes(array: np.ndarray) -> np.ndarray:
            return pack(np.rint(array / steps)).astype(np.int8)

        def pack_sums(array: np.ndarray) -> np.ndarray:
            return pack_bytes(array).sum(axis=(2, 5), dtype=np.int32)

        packing = Packing("recurrent.r.bytes", settings, pack_bytes, DType.INT8)
        found: list[tuple[str, Argument]] = [
            ("r", Packed(name, packing)),
            ("r_scale", Table(self.steps)),
        ]
        if dot == "vnni":
            sums = Packing("recurrent.r.sums", settings, pack_sums, DType.INT32)
            found.append(("r_sums", Packed(name, sums)))
        return found

    def _counted_arguments(self, t: int) -> list[tuple[str, Argument]]:
        """The state in 16 bits, before a step and after it."""
        if not self.rounding:
            return []
        before, after = self._counted[t % 2], self._counted[(t + 1) % 2]
        return [("counted", Read(before.name))] * (t > 0) + [("counted_next", Write(after.name))]

    def _vectors(self, index: int, first: int, count: int, of: int) -> Packed:
        """Vectors first..first + count of a constant that has `of` for each direction, units padded."""
        layer = self.layer

        def pack(array: np.ndarray) -> np.ndarray:
            whole = array.reshape(layer.directions, of, layer.hidden)
            return np.ascontiguousarray(self._inputs.units(whole[:, first : first + count], 2))

        settings = (layer.directions, first, count, of, self.padded)
        return Packed(self.problem.node.inputs[index], Packing("recurrent.vectors", settings, pack))

    def _new_bias(self) -> Argument:
        """What a GRU with linear_before_reset adds to its new gate before the reset."""
        if self.problem.has(3):
            return self._vectors(3, 5, 1, 6)
        return Table(np.zeros(self.layer.directions * self.padded, np.float32))

    def _start(self, state: Value, index: int) -> None:
        if not self.problem.has(index):
            size = state.spec.size
            self.composite.call(fill_call(self.problem, Write(state.name), 0, size, DType.FLOAT32))
            return
        arguments = [("outside", self.problem.argument(index)), ("state", Write(state.name))]
        self._copy(False, arguments, self.padded)

    def _finish(self, state: Value, target: Argument | None) -> None:
        if target is None:
            return
        arguments = [("state", Read(state.name)), ("outside", target), *lengths(self.problem)]
        self._copy(True, arguments, self.layer.hidden)

    def _copy(self, finish: bool, tensors: list[tuple[str, Argument]], units: int) -> None:
        problem, layer = self.problem, self.layer
        kernel = Kernel.of(
            "recurrent/state.cl.mako",
            "recurrent_state",
            finish=finish,
            lengths=length_type(problem) if finish else "",
        )
        per_item = units if problem.device.is_cpu else 1
        arguments: list[tuple[str, Argument]] = [
            *tensors,
            ("batch", Scalar(layer.batch)),
            ("hidden", Scalar(layer.hidden)),
            ("padded", Scalar(self.padded)),
            ("outside_direction", Scalar(layer.state[0], "long")),
            ("outside_batch", Scalar(layer.state[1], "long")),
            ("per_item", Scalar(per_item)),
        ]
        size = (-(-units // per_item), layer.batch, layer.directions)
        self.composite.call(problem.call(kernel, arguments, size))

    def _step(
        self,
        part: _Part,
        t: int,
        projected: Projected,
        h: Value,
        h_next: Value | None,
        extra: list[Value],
        y: Argument | None,
    ) -> None:
        problem, layer, at = self.problem, self.layer, self.problem.node.attrs
        peephole = problem.node.op == "LSTM" and problem.has(7)
        kind, count = part.kind, part.end - part.first
        counts = problem.device.dot if self.rounding else ""
        dot = counts if t else ""  # a first state that is given may be beyond 1
        parameters: dict[str, Hashable] = {
            "kind": kind,
            "gates": count,
            "vector": self.vector,
            "unroll": 2 if count > 1 else 4,
            "direction": at.direction,
            "lengths": length_type(problem),
            "activations": activations(problem)[0],
            "clip": bool(at.clip),
            "peephole": peephole,
            "input_forget": bool(at.get("input_forget", 0)),
            "y": y is not None,
            "narrow": self.steps is not None,
            "planes": projected.is_bytes,
            "empty": bool(self.rounding) and t == 0 and not problem.has(5),
            **{"rounded": self.rounding, "dot": dot, "counts": counts},
        }
        make = Write if kind in ("GRU gates", "LSTM") else Read
        names = ("c",) if kind == "LSTM" else ("z", "reset")
        arguments: list[tuple[str, Argument]] = [
            ("x", Read(projected.value.name)),
            *projected.arguments(),
            *self._recurrent(part, dot),
            *self._counted_arguments(t),
            *([("new_bias", self._new_bias())] if kind == "GRU linear" else []),
            *([("peephole", self._vectors(7, 0, 3, 3))] if peephole else []),
            *lengths(problem),
            ("h", Read(h.name)),
            *((n, make(value.name)) for n, value in zip(names, extra, strict=False)),
            *([("h_next", Write(h_next.name))] if h_next is not None else []),
            *([("y", y), *layer.sequence_arguments()] if y is not None else []),
            ("batch", Scalar(layer.batch)),
            ("hidden", Scalar(layer.hidden)),
            ("padded", Scalar(self.padded)),
            ("block", Scalar(self.block)),
            *self._distances(projected),
            ("time", Scalar(layer.time)),
            ("clip", Scalar(float(at.clip), "float")),
            ("t", Scalar(t)),
        ]
        kernel = Kernel.of("recurrent/step.cl.mako", "recurrent_step", **parameters)
        size = (self.padded // self.vector, layer.batch, layer.directions)
        self.composite.call(problem.call(kernel, arguments, size, cost=self._step_cost(count)))

    def _distances(self, projected: Projected) -> list[tuple[str, Argument]]:
        """Floats from one direction, time and batch row of what inputs add to the next."""
        layer, columns = self.layer, self.layer.gates * self.padded
        rows = (1, layer.time) if self.problem.node.attrs.layout else (layer.batch, 1)
        steps = (projected.direction, rows[0] * columns, rows[1] * columns)
        names = ("x_direction", "x_time", "x_batch")
        return [(name, Scalar(step, "long")) for name, step in zip(names, steps, strict=True)]

    def _step_cost(self, gates: int) -> Cost:
        layer = self.layer
        products = layer.directions * layer.hidden * layer.hidden * gates
        return Cost(2 * products * layer.batch, 4 * products)


def steps_lower(problem: Problem) -> Lowered:
    return _Steps(problem).run()

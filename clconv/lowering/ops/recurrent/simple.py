"""Each sequence in one work-item from start to end: any dtype, weights that are fed, any length."""

from __future__ import annotations

from clconv.lowering.copies.movement import outputs
from clconv.lowering.model.arguments import Argument, Scalar, Write
from clconv.lowering.model.c_types import C_TYPES
from clconv.lowering.model.call import Kernel
from clconv.lowering.model.kernel import Lowered, Problem
from clconv.lowering.ops.recurrent.layer import RecurrentLayer, activations, length_type
from clconv.lowering.shared.composite import Composite
from clconv.lowering.shared.work_split import nested


def simple_lower(problem: Problem) -> Lowered:
    at, op, layer = problem.node.attrs, problem.node.op, RecurrentLayer.of(problem)
    composite = Composite(problem)
    own = ("bias", "lengths", "initial_h", "initial_c", "peephole")
    tensors = [(n, i) for n, i in zip(own, (3, 4, 5, 6, 7), strict=True) if problem.has(i)]
    results = [(("y", "y_h", "y_c")[i], write) for i, write, _ in outputs(problem)]
    work = composite.scratch(
        "work", (layer.directions, layer.batch, (layer.gates + 3) * layer.hidden), problem.x.dtype
    )
    ctype = C_TYPES[problem.x.dtype.value]
    functions = activations(problem)
    same = all(f == functions[0] for f in functions)
    for first in range(1 if same else layer.directions):
        kernel = Kernel.of(
            "recurrent/simple.cl.mako",
            "recurrent_simple",
            type=ctype,
            op=op,
            given=tuple(n for n, _ in (*tensors, *results)),
            lengths=length_type(problem),
            direction=at.direction,
            activations=functions[first],
            clip=bool(at.clip),
            linear=bool(at.get("linear_before_reset", 0)),
            input_forget=bool(at.get("input_forget", 0)),
        )
        arguments: list[tuple[str, Argument]] = [
            ("x", problem.argument(0)),
            ("w", problem.argument(1)),
            ("r", problem.argument(2)),
            *((name, problem.argument(i)) for name, i in tensors),
            *results,
            ("work", Write(work.name)),
            ("time", Scalar(layer.time)),
            ("batch", Scalar(layer.batch)),
            ("features", Scalar(layer.features)),
            ("hidden", Scalar(layer.hidden)),
            ("x_time", Scalar(layer.inputs[0], "long")),
            ("x_batch", Scalar(layer.inputs[1], "long")),
            *layer.sequence_arguments(),
            ("state_direction", Scalar(layer.state[0], "long")),
            ("state_batch", Scalar(layer.state[1], "long")),
            ("clip", Scalar(float(at.clip), ctype)),
            ("first", Scalar(first)),
        ]
        size = (layer.batch, layer.directions if same else 1)
        composite.call(problem.call(kernel, arguments, size))
    return composite.lowered()


def simple_rounds(problem: Problem) -> int:
    layer = RecurrentLayer.of(problem)
    products = nested(layer.gates * layer.hidden, layer.features + layer.hidden)
    return layer.hidden + nested(layer.time, products + 3 * layer.gates * layer.hidden)

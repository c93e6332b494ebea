"""What kernels of BatchNormalization in training mode and of its gradient are given."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from clconv.graph.ir import DType
from clconv.graph.ops.elementwise.row import c_float, c_number
from clconv.lowering.model.arguments import Argument, Write
from clconv.lowering.model.kernel import Problem
from clconv.lowering.model.obstacles import computed
from clconv.lowering.shared.epilogue import epilogue_obstacle

# Outputs by their names in the kernels.
NORMAL = ("y", "mean", "variance", "saved_mean", "saved_inverse")
GRADIENT = ("dx", "dscale", "dbias")


def training_obstacle(problem: Problem) -> str | None:
    if problem.node.op == "BatchNormalization" and not problem.node.attrs.training_mode:
        return "needs training_mode"
    return epilogue_obstacle(problem)


def outputs_of(problem: Problem, names: Sequence[str]) -> list[tuple[str, Argument]]:
    """Those that the node has, by their names in the kernels."""
    named = zip(names, problem.node.outputs, strict=False)
    return [(name, Write(value)) for name, value in named if value]


def operands(problem: Problem) -> tuple[tuple[str, ...], list[tuple[str, Argument]]]:
    """Names of the statistics that are outputs, and the arguments of BatchNormalization from scale on."""
    given = dict(outputs_of(problem, NORMAL))
    arguments = [("scale", problem.argument(1)), ("bias", problem.argument(2))]
    names = tuple(name for name in NORMAL[1:] if name in given)
    for name in names:
        if name in ("mean", "variance"):
            index = 3 if name == "mean" else 4
            arguments.append((f"running_{name}", problem.argument(index)))
        arguments.append((f"new_{name}", given[name]))
    return names, [*arguments, ("y", given["y"])]


def numbers(problem: Problem) -> dict[str, Hashable]:
    at = problem.node.attrs
    if computed(problem.x.dtype) is DType.FLOAT64:
        return {name: c_number(at[name], DType.FLOAT64) for name in ("epsilon", "momentum")}
    return {"epsilon": c_float(at.epsilon), "momentum": c_float(at.momentum)}


def gradient_operands(
    problem: Problem,
) -> tuple[dict[str, Hashable], list[tuple[str, Argument]], list[tuple[str, Argument]]]:
    """Of BatchNormalizationGradient: the kernels' parameters, the arguments that its sums read, and the others."""
    given = outputs_of(problem, GRADIENT)
    settings: dict[str, Hashable] = {
        "training": bool(problem.node.attrs.training_mode),
        "outputs": tuple(name for name, _ in given),
    }
    first = [(name, problem.argument(i)) for name, i in (("x", 0), ("dy", 1), ("mean", 3))]
    more = [("scale", problem.argument(2)), ("inverse", problem.argument(4)), *given]
    return settings, first, more

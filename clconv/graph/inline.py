"""Puts the branch that an If takes in its place."""

from __future__ import annotations

import dataclasses

import numpy as np

from clconv.graph.ir import Constant, Graph, Node
from clconv.graph.ops import make_node
from clconv.graph.ops.control import branch_of, truth


def put_branch(
    node: Node, condition: np.ndarray, graph: Graph, constants: dict[str, Constant]
) -> list[Node]:
    """The nodes of the branch that the condition chooses, with names of their own, and an Identity for
    each output of the If. The branch's constants are added to `constants`.

    graph: the one the If is part of, whose names must not be given again.
    """
    branch, given = branch_of(node, truth(condition))
    taken = {*graph.inputs, *constants}
    for other in graph.nodes:
        taken.update((other.name, *other.outputs))
    names = {"": "", **dict(zip(branch.inputs, given, strict=True))}

    def fresh(name: str) -> str:
        name = f"{node.name}/{name}"
        while name in taken:
            name += "'"
        taken.add(name)
        return name

    for name, constant in branch.constants.items():
        names[name] = fresh(name)
        constants[names[name]] = constant
    inside = []
    for inner in branch.nodes:
        names.update((o, fresh(o)) for o in inner.outputs if o)
        inside.append(
            dataclasses.replace(
                inner,
                name=fresh(inner.name),
                inputs=tuple(names[n] for n in inner.inputs),
                outputs=tuple(names[o] for o in inner.outputs),
            )
        )
    handed_on = [
        make_node("Identity", (names[result],), (output,), fresh(f"{output}/branch"))
        for result, output in zip(branch.outputs, node.outputs, strict=False)
        if output
    ]
    return [*inside, *handed_on]

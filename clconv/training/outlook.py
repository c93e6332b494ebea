"""What a step of training will take, before anything is compiled: its plan, and the memory that `recompute=` saves."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from clconv.device.info import DeviceInfo
from clconv.errors import InputError
from clconv.graph.evaluate import node_cost
from clconv.graph.ir import Graph
from clconv.planning.plan import Plan
from clconv.training.memory import SEGMENTS, planned, specs_of_batch
from clconv.training.model import learner
from clconv.training.optimisers import as_optimizer
from clconv.training.step import Objective, StepWriter, choose_objective, compared_spec


@dataclasses.dataclass(frozen=True)
class PlannedStep:
    """A step whose way forward is cut into so many segments; 1 computes nothing twice.

    nbytes: of what lies between its nodes. state: bytes of parameters, statistics and moments. flops: of the whole step.
    """

    segments: int
    plan: Plan
    nbytes: int
    state: int
    flops: float


def planned_steps(
    graph: Graph,
    batch: int,
    device: DeviceInfo,
    loss: str = "cross_entropy",
    optimizer: str = "sgd",
) -> Iterator[PlannedStep]:
    """A step by Trainer's defaults, with more and more segments, for as long as each needs less memory than the last.

    Raises what Trainer raises for a network that cannot learn, InputError for an empty batch or a network that leaves open
    other sizes than the batch's.
    """
    if batch < 1:
        raise InputError(f"a batch of {batch}: it has at least one example")
    learning = learner(graph, ())
    for name, given in learning.graph.input_specs().items():
        if not all(isinstance(d, int) for d in given.shape[1:]):
            raise InputError(
                f"input '{name}' takes {given}: a step is planned for known sizes; export the network with them"
            )
    chosen, output = choose_objective(graph, loss, None)
    spec = compared_spec(learning.graph, chosen, output)
    targets = None if chosen is None else chosen.usual_targets(spec)
    writer = StepWriter(learning, Objective(chosen, output, spec, targets), "train")
    least = None
    for segments in SEGMENTS:
        step, _ = writer.step(as_optimizer(optimizer), None, segments=segments)
        plan = planned(step, specs_of_batch(step, batch), device)
        found = plan.memory.total
        if least is not None and found >= least:
            return
        least = found
        flops = sum(node_cost(node, plan.graph).flops for node in plan.graph.nodes)
        state = sum(plan.graph.spec(name).nbytes for name in plan.graph.state)
        yield PlannedStep(segments, plan, found, state, flops)

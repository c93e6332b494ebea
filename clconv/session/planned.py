"""What is said of plans, and how they are told apart and run."""

from __future__ import annotations

import collections
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from clconv import config
from clconv.debug import LOGGER, say
from clconv.graph.ir import Node, TensorSpec
from clconv.planning.plan import Plan
from clconv.runtime.bound import BoundPlan
from clconv.runtime.prepared import Execute

if TYPE_CHECKING:
    from clconv.runtime.dump import Dump

Key = tuple[object, ...]


def plan_key(specs: Mapping[str, TensorSpec], values: Mapping[str, np.ndarray]) -> Key:
    return (
        *sorted((n, s.shape, s.dtype.value) for n, s in specs.items()),
        *sorted((n, a.shape, a.tobytes()) for n, a in values.items()),
    )


def dump_wanted() -> Dump | None:
    """Where the variables ask for files of all steps."""
    if config.DUMP.get() is None:
        return None
    from clconv.runtime.dump import Dump

    return Dump.from_config()


def usual_execute() -> Execute:
    if not config.CHECK.get():
        return BoundPlan.run
    from clconv.runtime.check import checked_run

    return checked_run


def host_remark(nodes: Sequence[Node]) -> str:
    """Which operators run there and why, each with how many there are."""
    counted = collections.Counter(node.op for node in nodes)
    names = ", ".join(f"{op} ({times})" if times > 1 else op for op, times in counted.items())
    return (
        f"on the host, not on the device: {names}, first {nodes[0].name!r}; what follows is planned when their results "
        "are known"
    )


def log_plan(plan: Plan, shapes: str) -> None:
    if plan.cut is not None and plan.cut.host_nodes:
        LOGGER.warning("%s", host_remark(plan.cut.host_nodes))
    if plan.batch_split is not None:
        say(1, plan.batch_split)
    say(1, f"plan for {shapes}: {plan.memory.total:,} bytes, {len(plan.calls)} launches")
    for call in plan.calls:
        say(2, call)
    for name, choice in plan.lowered.choices.items():
        say(3, f"{name}: {choice}")

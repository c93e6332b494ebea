"""A device that is open for plans, and how the runs of a batch that is split follow each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from clconv.device.info import DeviceInfo
from clconv.errors import InputError
from clconv.planning.plan import Plan
from clconv.runtime.bound import BoundPlan, Progress
from clconv.runtime.constants import DeviceConstants
from clconv.runtime.opencl import Place, open_device
from clconv.runtime.progress import silent
from clconv.runtime.state import DeviceState

Execute = Callable[[BoundPlan, Mapping[str, np.ndarray]], dict[str, np.ndarray]]


class PreparedDevice:
    """An opened device with a queue, and the constants that the plans bound to it share.

    place: a caller's context, and perhaps queue, to be used. Raises DeviceError if the device refuses.
    """

    def __init__(self, info: DeviceInfo, place: Place | None = None) -> None:
        self.device = open_device(info, None if place is None else place.context)
        self.queue = self.device.queue(given=None if place is None else place.queue)
        self.constants = DeviceConstants(self.device, self.queue)

    def bind(
        self,
        plan: Plan,
        progress: Progress = silent,
        *,
        guarded: bool = False,
        state: DeviceState | None = None,
    ) -> BoundPlan:
        """The plan, ready to run. guarded: with canaries around its values, see PlanOptions.guard. state: where its
        state lies, and room is made for what is not there yet; without it the plan has state of its own, zeros.

        Raises InputError for a state that is not of this device, or has a value with another spec.
        """
        specs = {name: plan.graph.spec(name) for name in plan.graph.state}
        if state is None and specs:
            state = DeviceState(self, guard=plan.memory.guard)
        if state is not None:
            if state.prepared is not self:
                raise InputError("the state lies on another device, or was prepared apart from it")
            if specs and state.guard != plan.memory.guard:
                raise InputError(
                    f"the state has {state.guard} bytes of canary around its values, the plan {plan.memory.guard}"
                )
            state.add(specs)
        held = state if specs else None
        return BoundPlan(plan, self.device, self.queue, self.constants, progress, guarded, held)


def run_batch(
    bound: BoundPlan, feeds: Mapping[str, np.ndarray], execute: Execute = BoundPlan.run
) -> dict[str, np.ndarray]:
    """The outputs of the whole batch, also where the plan is for some of its images at a time."""
    split = bound.plan.batch_split
    if split is None:
        return execute(bound, feeds)
    return split.run(lambda part: execute(bound, part), feeds)

"""A plan, or some launches, run by another process: what may end a process is seen there first."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

import numpy as np

from clconv.errors import KernelBuildError
from clconv.lowering.model.arguments import Packed
from clconv.lowering.model.call import Kernel, KernelCall
from clconv.planning.memory import Slot
from clconv.planning.plan import Plan
from clconv.runtime.constants import packed_arguments
from clconv.runtime.opencl import Helper
from clconv.runtime.prepared import PreparedDevice
from clconv.runtime.trials.job import Launches, places_of

LIMIT = 120.0  # seconds of a trial


class Apart:
    """Launches that a process was given. Raises nothing: results() tells."""

    def __init__(
        self,
        helper: Helper,
        launches: Launches,
        calls: Sequence[KernelCall],
        programs: Mapping[str, Sequence[Kernel]],
        results: Sequence[Slot],
        rounds: int = 1,
    ) -> None:
        self._helper = helper
        self._number = helper.give(launches.job(calls, programs, results, rounds))

    def results(self) -> tuple[list[bytes], list[float]]:
        """The bytes that were asked for, and the least seconds of each launch. Raises KernelBuildError with the reason if the
        process died of it, took longer than LIMIT or was refused."""
        answer = self._helper.answer(self._number, LIMIT)
        if answer is None:
            death = self._helper.death
            raise KernelBuildError(
                f"a process that tried it ended with {death}"
                if death
                else f"a process that tried it took longer than {LIMIT:.0f} s"
            )
        if "refused" in answer:
            raise KernelBuildError(answer["refused"])
        return [base64.b64decode(text) for text in answer["results"]], answer["seconds"]


class PlanApart:
    """A plan that a process was given to run once. feeds: arrays of exactly the plan's inputs."""

    def __init__(
        self,
        helper: Helper,
        plan: Plan,
        feeds: Mapping[str, np.ndarray],
        prepared: PreparedDevice,
    ) -> None:
        self._plan = plan
        launches = Launches(
            plan.memory.arenas, places_of(plan, plan.memory), _packed(plan, prepared)
        )
        for name in plan.graph.fed:
            launches.fill(name, feeds[name])
        programs = prepared.device.compiler.sources(call.kernel for call in plan.launches)
        self._apart = Apart(helper, launches, plan.launches, programs, self._outputs())

    def _outputs(self) -> list[Slot]:
        """Where the outputs lie."""
        place = places_of(self._plan, self._plan.memory)
        lowered = self._plan.lowered
        stored = [lowered.stored[name] for name in self._plan.graph.returned]
        slots = [(place(name, 0), lowered.specs[name].nbytes) for name in stored]
        return [Slot(slot.arena, slot.offset, nbytes) for slot, nbytes in slots]

    def outputs(self) -> dict[str, np.ndarray]:
        """Raises what Apart.results raises."""
        found, _ = self._apart.results()
        lowered, outputs = self._plan.lowered, {}
        for name, content in zip(self._plan.graph.returned, found, strict=True):
            spec = lowered.specs[lowered.stored[name]]
            outputs[name] = np.frombuffer(content, spec.dtype.numpy).reshape(spec.shape)
        return outputs


def _packed(plan: Plan, prepared: PreparedDevice) -> dict[Packed, np.ndarray]:
    """What the constants of a plan's launches hold, packed."""
    found: dict[Packed, np.ndarray] = {}
    for one in packed_arguments(plan.launches):
        held = prepared.constants.get(plan.graph.constants[one.constant], one.packing)
        found[one] = content = np.empty(held.nbytes, np.uint8)
        prepared.queue.read(content, held.buffer, wait=True)
    return found

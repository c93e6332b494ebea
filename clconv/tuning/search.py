"""Searches variants and parameters for one node after the other: verify first, time second, keep what is clearly
better."""

from __future__ import annotations

import dataclasses
import itertools
import math
import statistics
from collections.abc import Callable, Sequence

from clconv.device.info import DeviceInfo
from clconv.device.measurements import Entry, Machine
from clconv.device.options import PlanOptions
from clconv.errors import UnsupportedError
from clconv.graph.ir import DType
from clconv.lowering.model.call import KernelCall
from clconv.lowering.model.kernel import AUTO, Variant
from clconv.planning import persistent
from clconv.runtime.worker import Failed, Worker, WorkerError
from clconv.tuning.tasks import Task
from clconv.tuning.trial import (
    Candidate,
    TuningTrial,
    alone,
    plan_candidate,
    prepare,
    time_together,
    verify,
)

# Largest error over the largest value of the reference. What the usual choice errs by is allowed, too.
ERROR_BUDGET = {DType.FLOAT32: 2e-5, DType.FLOAT16: 2e-3, DType.FLOAT64: 1e-12}
_ROUNDED_BUDGET = 2**-10  # of float32 whose products may round: what precision="tf32" promises
LEAST_GAIN = 0.03  # of the time; less may be chance
_SEARCHED_VARIANTS, _NEAR = (
    2,
    1.5,
)  # variants whose parameters are searched, if they are that near the best
_ROUNDS, _FINAL_ROUNDS, _BOUTS = 7, 7, 4
_WINS = 0.8  # of the rounds
_BOUND_BYTES = 1 << 30  # of all candidates that are timed together
_REFERENCE_SECONDS, _TIMING_SECONDS = 600.0, 300.0


_numbers = itertools.count()  # of trials: a worker tells by it whether it has one at hand


@dataclasses.dataclass(frozen=True)
class Step:
    """Progress: what is tried now, and how many times faster than the default the best is."""

    what: str
    gain: float = 1.0


def candidate_text(candidate: Candidate) -> str:
    variant, parameters = candidate
    return " ".join([variant, *(f"{name}={value}" for name, value in parameters)])


def undisturbed(rounds: Sequence[float]) -> float:
    """Seconds in the best quarter of the rounds, the median of it: other work on the machine only ever adds time."""
    return statistics.median(sorted(rounds)[: len(rounds) // 4 + 1])


def is_faster(usual: Sequence[float], other: Sequence[float]) -> bool:
    """Whether the other is clearly faster, from seconds in the same rounds: by LEAST_GAIN in the median round and in the
    undisturbed ones, and at all in most. On a busy machine each of these alone has found gains of several times where
    there are none."""
    ratios = [b / a for a, b in zip(usual, other, strict=False)]
    wins = sum(ratio < 1 for ratio in ratios)
    least = min(1 / statistics.median(ratios), undisturbed(usual) / undisturbed(other))
    return least >= 1 / (1 - LEAST_GAIN) and wins >= _WINS * len(usual)


def _budget(task: Task) -> float:
    rounds = task.dtype is DType.FLOAT32 and "instruction" in dict(task.shape.kind)
    return _ROUNDED_BUDGET if rounds else ERROR_BUDGET.get(task.dtype, 0.0)


class Search:
    """Finds the best candidate for tasks on one device.

    worker: where candidates are compiled and run. limit: seconds for compiling and a first run; what takes longer is
    abandoned. rejected: what was wrong or abandoned, in words. options: what is asked of the network's plan; candidates get the same.
    """

    def __init__(
        self,
        device: DeviceInfo,
        worker: Worker,
        limit: float = 60.0,
        on_step: Callable[[Step], None] = lambda step: None,
        options: PlanOptions = PlanOptions(),
    ) -> None:
        self._options = options
        self._device, self._worker, self._limit, self._on_step = device, worker, limit, on_step
        self.rejected: list[str] = []

    def run(self, task: Task) -> Entry | None:
        """The result for a task; None if not even the usual choice runs."""
        self._task, self._trial = (
            task,
            TuningTrial.of(next(_numbers), task.graph, task.node, self._options),
        )
        self._alone = alone(task.graph, task.node)
        self._errors: dict[Candidate, float | None] = {}
        self._planned: dict[Candidate, tuple[KernelCall, ...]] = {}
        self._gain = 1.0
        usual = task.usual
        usual_error = self._error(usual)
        if usual_error is None:
            return None
        self._budget = max(_budget(task), usual_error)
        best = self._best_of([usual, *((v.name, ()) for v in task.variants)])
        for variant in self._promising:
            best = self._descend(variant, best)
        if best == usual:
            seconds = statistics.median(self._times([usual], _ROUNDS)[0])
            return self._entry(usual, seconds, seconds)
        rounds = self._compare_in_turns(usual, best)
        usual_seconds, seconds = map(statistics.median, rounds)
        if not is_faster(*rounds):
            return self._entry(usual, usual_seconds, usual_seconds)
        return self._entry(best, seconds, usual_seconds)

    def _compare_in_turns(
        self, usual: Candidate, best: Candidate
    ) -> tuple[list[float], list[float]]:
        """Seconds of both in many rounds, in buffers that are allocated several times: which pages a buffer gets can
        change a kernel's time by more than parameters do."""
        both: tuple[list[float], list[float]] = ([], [])
        for bout in range(_BOUTS):
            turned = bool(bout % 2)
            order = [best, usual] if turned else [usual, best]
            found = self._times(order, _FINAL_ROUNDS, afresh=True)
            for rounds, seconds in zip(both, reversed(found) if turned else found, strict=True):
                rounds += seconds
        return both

    def _entry(self, best: Candidate, seconds: float, usual_seconds: float) -> Entry:
        usual = self._task.usual
        return Entry(
            Machine.of(self._device), self._task.shape, *best,
            error=self._errors[best] or 0.0, default_error=self._errors[usual] or 0.0,
            seconds=seconds, default_seconds=usual_seconds, is_default=best == usual,
        )  # fmt: skip

    def _descend(self, variant: Variant, best: Candidate) -> Candidate:
        """One parameter after the other, all its values with the best ones of the others."""
        own: Candidate = best if best[0] == variant.name else (variant.name, ())
        for name, values in variant.space.items():
            others = {k: v for k, v in own[1] if k != name}
            tried = [
                (variant.name, tuple(sorted({**others, name: value}.items())))
                if value != AUTO
                else (variant.name, tuple(sorted(others.items())))
                for value in values
            ]
            own = self._best_of([own, *tried])
        return self._best_of([best, own])

    def _best_of(self, candidates: Sequence[Candidate]) -> Candidate:
        """The fastest of those that are right; the first stays unless another is faster. Timed in groups, each with the
        best so far, so that their buffers fit."""
        best, *others = dict.fromkeys(candidates)
        right = [c for c in others if self._is_new(c, best) and self._is_right(c)]
        sizes = [*self._trial.specs.values(), *self._trial.weights.values()]
        together = max(2, _BOUND_BYTES // max(1, sum(spec.nbytes for spec in sizes)))
        seconds: dict[Candidate, float] = {}
        while right:
            group, right = [best, *right[: together - 1]], right[together - 1 :]
            times = [undisturbed(rounds) for rounds in self._times(group, _ROUNDS)]
            seconds.update(zip(group, times, strict=True))
            usual = seconds.get(self._task.usual)
            best = group[times.index(min(times))]
            if usual is not None:
                self._gain = usual / seconds[best]
        near = [c for c, s in seconds.items() if s <= _NEAR * seconds[best]]
        by_time = sorted(near, key=lambda c: seconds[c]) or [best]
        wanted = list(dict.fromkeys(name for name, _ in by_time))[:_SEARCHED_VARIANTS]
        self._promising = [v for name in wanted for v in self._task.variants if v.name == name]
        return best

    def _is_new(self, candidate: Candidate, best: Candidate) -> bool:
        """Whether it applies, launches something else than the best so far, and can be joined with its neighbours'
        launches where the usual choice can."""
        calls, usual = self._calls(candidate), self._calls(self._task.usual)
        if not calls or calls == self._calls(best):
            return False
        return not persistent.is_wanted(self._device) or (
            all(map(persistent.can_join, calls)) >= all(map(persistent.can_join, usual))
        )

    def _calls(self, candidate: Candidate) -> tuple[KernelCall, ...]:
        """The launches of a candidate; none if it does not apply."""
        if candidate not in self._planned:
            try:
                calls = plan_candidate(self._alone, self._device, self._options, candidate).calls
            except UnsupportedError:
                calls = ()
            self._planned[candidate] = calls
        return self._planned[candidate]

    def _is_right(self, candidate: Candidate) -> bool:
        error = self._error(candidate)
        if error is None:
            return False
        if not error <= self._budget:
            self._reject(candidate, f"error {error:.2g}, allowed {self._budget:.2g}")
            return False
        return True

    def _error(self, candidate: Candidate) -> float | None:
        """None if it was abandoned or failed."""
        if candidate not in self._errors:
            self._on_step(Step(candidate_text(candidate), self._gain))
            here = self._trial, self._device
            try:
                self._worker.call(prepare, *here, limit=_REFERENCE_SECONDS)
                found = self._worker.call(verify, *here, candidate, limit=self._limit)
                self._errors[candidate] = float(found)
            except (WorkerError, Failed) as reason:
                self._errors[candidate] = None
                self._reject(candidate, str(reason))
        return self._errors[candidate]

    def _times(
        self, candidates: Sequence[Candidate], rounds: int, afresh: bool = False
    ) -> list[list[float]]:
        """Seconds of each in each round; infinite if they cannot be timed."""
        self._on_step(Step(f"timing {len(candidates)}", self._gain))
        arguments = (self._trial, self._device, candidates, rounds, afresh)
        try:
            return list(self._worker.call(time_together, *arguments, limit=_TIMING_SECONDS))
        except (WorkerError, Failed) as reason:
            self._reject(candidates[-1], str(reason))
            return [[math.inf]] * len(candidates)

    def _reject(self, candidate: Candidate, reason: str) -> None:
        line = next(iter(reason.splitlines()), "failed")
        self.rejected.append(f"{self._task.shape}: {candidate_text(candidate)}: {line}")

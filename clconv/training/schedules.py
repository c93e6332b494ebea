"""Learning rates that change: functions of the step, which counts from 0."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from clconv.errors import ConfigError

Schedule = Callable[[int], float]


def constant(lr: float) -> Schedule:
    """lr at every step."""
    return lambda step: lr


def step_decay(lr: float, every: int, factor: float = 0.1) -> Schedule:
    """lr, times `factor` after each `every` steps."""
    _check_steps("step_decay(every=", every)
    return lambda step: lr * factor ** (step // every)


def multi_step(lr: float, milestones: Sequence[int], factor: float = 0.1) -> Schedule:
    """lr, times `factor` from each of these steps on."""
    return lambda step: lr * factor ** sum(step >= m for m in milestones)


def cosine(lr: float, steps: int, least: float = 0.0) -> Schedule:
    """From lr to `least` along half a cosine wave, then `least` (Loshchilov and Hutter, "SGDR", 2017)."""
    _check_steps("cosine(steps=", steps)

    def rate(step: int) -> float:
        part = min(step, steps) / steps
        return least + (lr - least) * 0.5 * (1 + math.cos(math.pi * part))

    return rate


def warm_up(schedule: float | Schedule, steps: int) -> Schedule:
    """Linearly from nearly 0 to the schedule's rate in so many steps, then as the schedule says (Goyal et al.,
    "Accurate, Large Minibatch SGD", 2017)."""
    after = as_schedule(schedule)
    return lambda step: after(step) * min(1.0, (step + 1) / max(steps, 1))


def as_schedule(lr: float | Schedule) -> Schedule:
    return lr if callable(lr) else constant(float(lr))


def _check_steps(named: str, steps: int) -> None:
    if not steps > 0:
        raise ConfigError(f"{named}{steps}): must be above 0")

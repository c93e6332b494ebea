"""PlanOptions: what the caller asks of a plan. DeviceInfo holds the device's properties, Findings what was found about it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from clconv import config
from clconv.records import record


@record(frozen=True)
class PlanOptions:
    """How networks are to be planned.

    precision: one of config.PRECISIONS, the type to which products may round their factors. "float16" also stores float32
        values as halves; "strict" excludes variants in which a value can affect results that do not read it.
    forced: variants by operator, both in lower case, that must be taken.
    images_at_once: how many images of a batch run at a time, 0 all of them, None the fastest number.
    joining: whether launches may be joined into one on devices where that is faster.
    parts: into how many programs the kernels of joined launches go, None for as many as pay.
    guard: unused bytes around every value; values then share no memory, and launches are not joined.

    Raises ConfigError for a precision that does not exist.
    """

    precision: str = "float32"
    forced: Mapping[str, str] = dataclasses.field(default_factory=dict)
    images_at_once: int | None = None
    joining: bool = True
    guard: int = 0
    parts: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "precision", config.chosen_precision(self.precision))

    @classmethod
    def from_config(cls, precision: str | None = None, *, guard: int = 0) -> PlanOptions:
        """What the CLCONV_* variables ask for now. precision: instead of CLCONV_PRECISION. Raises ConfigError."""
        return cls(
            config.chosen_precision(precision),
            config.VARIANT.get(),
            config.IMAGES.get(),
            config.ONE_LAUNCH.get(),
            guard,
            config.PARTS.get(),
        )

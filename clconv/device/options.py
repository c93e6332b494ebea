"""PlanOptions: what is asked of a plan, as against what the device is (DeviceInfo) and what was found out about it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from clconv import config


@dataclasses.dataclass(frozen=True)
class PlanOptions:
    """How networks are to be planned.

    precision: what products may round their factors to, of config.PRECISIONS; "float16" also stores as halves what the
        network has as float32, "strict" rules out variants that mix what a plain sum keeps apart.
    forced: variants by operator, both in lower case, that must be taken.
    images_at_once: how many images of a batch run at a time, 0 all of them, None as many as take least.
    joining: whether launches may go to the device as one where it gains by that.
    guard: free bytes around every value, none of which then shares its place with another; launches are not joined.

    Raises ConfigError for a precision that does not exist.
    """

    precision: str = "float32"
    forced: Mapping[str, str] = dataclasses.field(default_factory=dict)
    images_at_once: int | None = None
    joining: bool = True
    guard: int = 0

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
        )

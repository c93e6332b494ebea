"""What was found out about a device beforehand, as plain data that the choice of variants looks at."""

from __future__ import annotations

import dataclasses
import warnings

from clconv.device.measurements import Measurements
from clconv.errors import ClconvWarning
from clconv.records import record


@record(frozen=True)
class Findings:
    """quarantined: (operator, variant) pairs that gave wrong results, or none, when `clconv doctor` tried them
    on this device with this driver. measurements: what `clconv tune` measured, here or on a device like this."""

    quarantined: frozenset[tuple[str, str]] = frozenset()
    measurements: Measurements = dataclasses.field(default_factory=Measurements)


NOTHING_FOUND = Findings()


def warn_of_last_resort(variant: str, label: str) -> None:
    """A ClconvWarning that nothing but a quarantined variant applies to a node. Refusing would stop networks
    for which it may be right: what was wrong is some case of the table, not each."""
    warnings.warn(
        f"{label}: variant '{variant}' gave wrong results when clconv doctor tried it on this device, and nothing "
        "else applies: do not trust the result; a newer driver may help",
        ClconvWarning,
        stacklevel=2,
    )

"""Which outputs a run gives back, and where: what `outputs` of run() says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from clconv.errors import InputError
from clconv.records import record

HOST, DEVICE, PYOPENCL = "host", "device", "pyopencl"
_WORDS = (HOST, DEVICE, PYOPENCL)

Outputs = Sequence[str] | str | Mapping[str, Any]


@record(frozen=True)
class Wanted:
    """places: by output name a word of _WORDS, or the array that it goes into."""

    places: dict[str, Any]

    @classmethod
    def of(cls, outputs: Outputs | None, returned: Sequence[str]) -> Wanted:
        """As run() is told; returned: the outputs of the model. Raises InputError for outputs that it does not have, and
        for places that are none."""
        if outputs is None:
            return cls(dict.fromkeys(returned, HOST))
        if isinstance(outputs, str):
            if outputs not in _WORDS:
                raise InputError(
                    f"outputs are a list of names, not the text {outputs!r}; or a mapping from name to place, or one of "
                    f"{_WORDS}"
                )
            return cls(dict.fromkeys(returned, outputs))
        if not isinstance(outputs, Iterable):
            raise InputError(f"outputs are a list of names, not {type(outputs).__name__}")
        places = dict(outputs) if isinstance(outputs, Mapping) else {str(n): HOST for n in outputs}
        unknown = [name for name in places if name not in returned]
        if unknown:
            raise InputError(f"no outputs {unknown}; the model has {list(returned)}")
        for name, place in places.items():
            if place is None or (isinstance(place, str) and place not in _WORDS):
                raise InputError(
                    f"output '{name}': a place is one of {_WORDS} or an array, not {place!r}"
                )
        return cls(places)

    @property
    def is_on_host(self) -> bool:
        """Whether all are new NumPy arrays."""
        return all(isinstance(place, str) and place == HOST for place in self.places.values())

    @property
    def waits(self) -> bool:
        """Whether something is read back, so that the run is over when its results are there."""
        return any(
            isinstance(place, np.ndarray) or (isinstance(place, str) and place == HOST)
            for place in self.places.values()
        )

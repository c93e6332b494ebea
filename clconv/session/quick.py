"""Runs on arrays of the kind that the last run had: most do, and nothing has to be found out for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from clconv import config
from clconv.graph.ir import TensorSpec
from clconv.runtime.bound import BoundPlan
from clconv.session.wanted import HOST


class Quick:
    """The plan of the last run, if it is the whole network, and the arrays that it is for."""

    __slots__ = ("_bound", "_count", "_expected", "_returned")

    def __init__(self, arrays: Mapping[str, np.ndarray], bound: BoundPlan) -> None:
        self._expected = tuple((name, a.shape, a.dtype) for name, a in arrays.items())
        self._count, self._bound = len(self._expected), bound
        self._returned = frozenset(bound.plan.graph.returned)

    def run(self, feeds: Any, outputs: Any = None) -> dict[str, np.ndarray] | None:
        """The outputs, all or those that are named; None if the feeds are not contiguous arrays of just these names, shapes
        and types, in the host's memory, or outputs are to go elsewhere, or a closer look is asked for. One function: behind a
        kernel that has filled the cache, each that is called costs a microsecond."""
        if config.CHECK.is_set and config.CHECK.get():
            return None
        if outputs is not None:
            if type(outputs) is dict:
                if not all(type(place) is str and place == HOST for place in outputs.values()):
                    return None
            elif type(outputs) is not list and type(outputs) is not tuple:
                return None
            for name in outputs:
                if type(name) is not str or name not in self._returned:
                    return None
        if type(feeds) is np.ndarray and self._count == 1:
            feeds = {self._expected[0][0]: feeds}
        if type(feeds) is not dict or len(feeds) != self._count:
            return None
        for name, shape, dtype in self._expected:
            array = feeds.get(name)
            if (
                type(array) is not np.ndarray
                or array.shape != shape
                or array.dtype != dtype
                or not array.flags.c_contiguous
                or not (array.base is None or type(array.base) is np.ndarray)
            ):
                return None
        found = self._bound.run(feeds)
        return found if outputs is None else {name: found[name] for name in outputs}


def quick_for(
    declared: Mapping[str, TensorSpec], arrays: Mapping[str, np.ndarray], bound: BoundPlan
) -> Quick | None:
    """declared: the specs of the inputs. None where two sizes have one name: each run looks whether they differ."""
    sizes = [d for n in arrays if n in declared for d in declared[n].shape if isinstance(d, str)]
    return Quick(arrays, bound) if len(sizes) == len(set(sizes)) else None

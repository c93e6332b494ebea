"""Cases of ResizeGradient: those of Resize, the way back."""

from __future__ import annotations

from collections.abc import Iterator

from clconv.cases.base import Case, data
from clconv.cases.sampling.resize import CASES as RESIZE_CASES
from clconv.graph.ir import Attributes
from clconv.graph.ops import get_op
from clconv.graph.ops.sampling.interpolation import resize_axes
from clconv.graph.rules.gradient.sampling.resize import INTERPOLATION


def _back(case: Case) -> Iterator[Case]:
    x, *others = case.arrays()
    assert x is not None
    if x.dtype.kind != "f" or not x.size:
        return
    full: Attributes = get_op("Resize").complete(case.label, case.attrs)
    axes = resize_axes(full, x.shape, *(*others, None, None, None)[:3])
    attrs = {
        **{k: full[k] for k in INTERPOLATION},
        "size": tuple(-1 if axis.is_copy else axis.size for axis in axes),
        "scales": tuple(axis.scale for axis in axes),
        "regions": tuple(end for axis in axes for end in axis.roi),
    }
    dy = data(*(axis.out for axis in axes), dtype=x.dtype.name)
    yield Case("ResizeGradient", case.label, (dy,), attrs)


CASES = tuple(back for case in RESIZE_CASES for back in _back(case))

"""Cases of GridSampleGradient and GridSampleGridGradient: those of GridSample, the way back."""

from __future__ import annotations

from collections.abc import Iterator

from clconv.cases.base import Case, data
from clconv.cases.sampling.grid_sample import CASES as SAMPLE_CASES


def _back(case: Case) -> Iterator[Case]:
    x, grid = case.inputs
    assert x is not None and grid is not None
    dy = data(*x.shape[:2], *grid.shape[1:-1])
    # GridSample's own grid, so that as many positions lie beyond the borders.
    size = {"size": x.shape[2:]}
    yield Case("GridSampleGradient", case.label, (dy, grid), {**case.attrs, **size})
    yield Case("GridSampleGridGradient", case.label, (dy, x, grid), case.attrs, tolerance=5e-5)


CASES = tuple(back for case in SAMPLE_CASES if case.op == "GridSample" for back in _back(case))

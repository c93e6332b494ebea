"""Cases of RoiAlignGradient: those of RoiAlign, the way back."""

from __future__ import annotations

from clconv.cases.base import Case, data
from clconv.cases.sampling.roi_align import CASES as ALIGN_CASES


def _back(case: Case) -> Case:
    x, rois, batch = case.inputs
    assert x is not None and rois is not None
    rows, columns = (case.attrs.get(f"output_{k}", 1) for k in ("height", "width"))
    dy = data(rois.shape[0], x.shape[1], rows, columns)
    attrs = {k: v for k, v in case.attrs.items() if not k.startswith("output_")}
    attrs["size"] = (x.shape[0], *x.shape[2:])
    inputs = (dy, rois, batch, x) if attrs.get("mode") == "max" else (dy, rois, batch)
    return Case("RoiAlignGradient", case.label, inputs, attrs)


CASES = tuple(map(_back, ALIGN_CASES))

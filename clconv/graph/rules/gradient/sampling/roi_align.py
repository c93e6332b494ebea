"""Gradient of RoiAlign, to the image. Regions have none, as in PyTorch: proposals are not trained through their pooling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clconv.graph.specialise.backward import Backward


def roi_align(back: Backward) -> Sequence[str]:
    x, at = back.spec(), back.attrs
    inputs = [back.gradient(), back.input(1), back.input(2)]
    if at.mode == "max":
        inputs.append(back.input(0))
    size = (x.shape[0], *x.shape[2:])
    kept = {k: v for k, v in at.items() if not k.startswith("output_")}
    return [back.one("RoiAlignGradient", *inputs, size=size, **kept), "", ""]

"""Gradient of RoiAlign, to the image. Regions have none, as in PyTorch: proposals are not trained through their pooling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from clconv.errors import UnsupportedError

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


def roi_align_gradient(back: Backward) -> Sequence[str]:
    """Of means it is linear: what comes back goes the way of the RoiAlign."""
    if back.attrs.mode == "max":
        raise UnsupportedError(
            f"node '{back.node.name}': no second derivative is known of a RoiAlign that takes maxima"
        )
    rows, columns = back.spec().shape[2:]
    kept = {k: v for k, v in back.attrs.items() if k != "size"}
    inputs = (back.gradient(), back.input(1), back.input(2))
    return [back.one("RoiAlign", *inputs, output_height=rows, output_width=columns, **kept), "", ""]

"""Operator name -> converter, for the operators whose newest form is not what older models say.

Every other operator goes through `convert_default`, which copies inputs, outputs and attributes.
"""

from collections.abc import Mapping

from clconv.frontend.onnx.build import Converter
from clconv.frontend.onnx.converters import (
    create,
    inputs,
    legacy,
    norm,
    optional,
    random,
    resize,
    softmax,
    window,
)
from clconv.frontend.onnx.converters.default import convert_default

CONVERTERS: Mapping[str, Converter] = {
    **create.CONVERTERS,
    **inputs.CONVERTERS,
    **legacy.CONVERTERS,
    **norm.CONVERTERS,
    **optional.CONVERTERS,
    **random.CONVERTERS,
    **resize.CONVERTERS,
    **softmax.CONVERTERS,
    **window.CONVERTERS,
}

__all__ = ["CONVERTERS", "convert_default"]

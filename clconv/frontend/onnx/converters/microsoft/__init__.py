"""onnxruntime's own operators (domain com.microsoft), which its optimiser and quantiser write into files.

Each is written with ONNX's operators; the passes fuse them again.
"""

from collections.abc import Mapping

from clconv.frontend.onnx.build import Converter
from clconv.frontend.onnx.converters.microsoft import (
    attention,
    fused,
    norm,
    quantised,
    quantised_product,
    quantised_recurrent,
    renamed,
)

DOMAIN = "com.microsoft"

MICROSOFT: Mapping[str, Converter] = {
    **attention.CONVERTERS,
    **fused.CONVERTERS,
    **norm.CONVERTERS,
    **quantised.CONVERTERS,
    **quantised_product.CONVERTERS,
    **quantised_recurrent.CONVERTERS,
    **renamed.CONVERTERS,
}

# onnxruntime puts these into ONNX's own domain, where an older opset does not have them.
IN_MAIN_DOMAIN = ("LayerNormalization", "SimplifiedLayerNormalization", "Gelu", "GroupNorm")

__all__ = ["DOMAIN", "IN_MAIN_DOMAIN", "MICROSOFT"]

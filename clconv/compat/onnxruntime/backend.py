"""onnxruntime.backend: clconv's backend, whose prepare() also takes a file's path or bytes.

Only names, no classes of its own: under sys.modules["onnxruntime"] Python loads this file once more.
"""

from clconv.compat.onnx_backend import (
    is_compatible,
    prepare,
    run_model,
    run_node,
    supports_device,
)

__all__ = ["is_compatible", "prepare", "run_model", "run_node", "supports_device"]

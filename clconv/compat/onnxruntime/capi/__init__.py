"""Where packages look for onnxruntime's exceptions."""

from clconv.compat.onnxruntime.capi import onnxruntime_pybind11_state

__all__ = ["onnxruntime_pybind11_state"]

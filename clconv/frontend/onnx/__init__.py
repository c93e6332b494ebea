"""ONNX in and out: the only package that imports `onnx`. Opset differences end here."""

from clconv.frontend.onnx.export.exporter import export_onnx
from clconv.frontend.onnx.importer import import_onnx

__all__ = ["export_onnx", "import_onnx"]

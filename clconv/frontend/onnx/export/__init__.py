"""Canonical Graph -> ONNX model."""

"""Post-training quantisation: a network of floats as one of 8 bits, with ranges taken from pictures.

result = clconv.quantization.quantize("model.onnx", samples)
clconv.save(result.graph, "int8.onnx")
"""

from clconv.quantization.quantize import Quantized, quantize
from clconv.quantization.ranges import METHODS
from clconv.quantization.report import Change

__all__ = ["METHODS", "Change", "Quantized", "quantize"]

"""Where packages look for onnxruntime's classes to annotate with.

Only names, no classes of its own: under sys.modules["onnxruntime"] Python loads this file once more.
"""

from clconv.compat.onnxruntime.binding import IOBinding
from clconv.compat.onnxruntime.ortvalue import OrtValue
from clconv.compat.onnxruntime.session import InferenceSession

Session = InferenceSession

__all__ = ["IOBinding", "InferenceSession", "OrtValue", "Session"]

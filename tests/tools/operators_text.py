"""What the page of operators says in words."""

from __future__ import annotations

from clconv.graph.specialise.sequences import SEQUENCE_OPS

# What no table of the code says: forms that the importer refuses, each with an error that names the node.
LIMITS = {
    **dict.fromkeys(SEQUENCE_OPS, "inside a graph: models take and return tensors"),
    "DFT": "products with matrices of the length's factors, as a fast Fourier transform",
    "Optional": "with a tensor in it",
    "Dropout": "with `training_mode`, which elements are dropped follows from the seed alone",
    "If": "a condition that is known at load leaves one branch",
    "PRelu": "before opset 7 the input's rank must be known",
    "Scan": "not with `sequence_lens`, which only opset 8 has",
    "Upsample": "not with `height_scale` and `width_scale`, before opset 7",
}

WHERE = {
    "device": "device",
    "view": "device, without a launch",
    "shape": "at planning",
    "load": "at load",
    "written": "device, by other operators",
    "host": "host",
    "control": "host, its graphs on the device",
}

_INTRO = """# Operators

Made from the code by `python -m tests.tools.operators_table`, with onnx {onnx}; a test compares it with the code.

An operator that is not here is refused at load, in one error that lists all that a model uses; nothing falls to the
host silently, and `clconv show` says which nodes do run there.

- **opsets**: since when ONNX has the operator, and until when, if it was taken out. The importer takes models of
  opset 7 to the newest that the installed `onnx` knows, and older ones where their operators have the form they had
  then; broadcasting by `axis` is understood.
- **dtypes** of its data that run, tried one by one: f and i stand for float and int, u for unsigned, so
  `i8-64` is int8, int16, int32 and int64. float16 is stored as half and computed in float32. float64 needs a device
  with `cl_khr_fp64`.
- **where**: *device* is kernels, its own or those of *other operators*; *without a launch* another view of the same
  memory, *at planning* a number that follows from shapes, *at load* replaced by other operators or constants. *host*
  operators have results whose shape depends on data (or control what runs): they stand between device segments.
  Whatever depends on constants alone is computed once, when the shapes are known.
- **variants**: ways to run it that a case of `clconv.cases` takes, best first, as `CLCONV_VARIANT=conv:direct` forces
  them; ᶜ on CPUs only, ᵍ on GPUs only.
"""

_EDGES = """
## Where ONNX leaves it open

What follows is the same on every device, in what is computed at load, and in the NumPy references.

- **Integers that overflow** keep their low bits: `Add`, `Sub`, `Mul`, `Pow`, sums and products. `Pow` of an integer to a
  whole exponent wraps likewise, also if the exponent is a float; to one with a fraction it is cut towards zero, a
  negative power of an integer other than 1 and -1 is 0.
- **Division by zero** of integers gives 0, in `Div` and in `Mod`; the least integer by -1 is the least integer, with the
  remainder 0. `Div` cuts towards zero.
- **Casts**: floats become integers by cutting towards zero; what lies outside ends at the limits of the type, NaN is 0.
  (onnxruntime has what the processor does, and on x86 some types wrap.) Integers become narrower ones by their low
  bits, as ONNX says. Anything becomes bool as "not zero".
- **`QuantizeLinear`** and what it is fused to: what lies outside ends at the limits, NaN is the least integer.
  `DynamicQuantizeLinear` of data with NaN or an infinity has scale NaN or infinity and integers 0.
- **`Shrink`** of integers: `bias` and `lambd` stay what they are, the result is cut towards zero.
- **By the letter**: `ThresholdedRelu(NaN)` and `Shrink(NaN)` are 0, `HardSwish(-Inf)` and `Swish(-Inf)` are NaN (an infinity
  times 0), a bound of `Clip` that is NaN bounds nothing.
- **Indices that are known only at run time** and lie outside: `Gather`, `GatherElements` and `GatherND` take the nearest
  element there is, `ScatterElements`, `ScatterND` and `MaxUnpool` leave the update out. Nothing outside a tensor is touched.
  `CLCONV_CHECK=1` raises an error with the node and the index. Those known at load are refused. An index of
  `OneHot` outside is on nowhere, as ONNX says.
- **`MaxUnpool` with `output_shape`**: indices count through that shape, as `MaxPool`'s count through its input, and as
  onnxruntime takes them. ONNX's own example counts through the default size: that is taken where every index lies in
  the window of its element so, and not in the given shape.
- **`Resize` with `align_corners`** and scales that make no whole size (4 * 2.4 = 9.6): the length of the result is taken
  before it is rounded down, as in ONNX's cases. onnxruntime and OpenVINO take it afterwards.
- **`Gelu`** has an error of up to 4e-7, however small the result: below -4.5, where it is a small difference of large
  numbers, no digit of it need be right. onnxruntime's is alike.
"""

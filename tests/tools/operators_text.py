"""What the page of operators says in words."""

from __future__ import annotations

from clconv.graph.specialise.sequences import SEQUENCE_OPS

# What no table of the code says: forms that the importer refuses, each with an error that names the node.
LIMITS = {
    **dict.fromkeys(
        SEQUENCE_OPS, "inside a graph only: the inputs and outputs of models are tensors"
    ),
    "DFT": "a fast Fourier transform: products with matrices of the length's factors",
    "Optional": "only with a tensor in it",
    "Dropout": "with `training_mode`, which elements are dropped follows from the seed alone",
    "If": "if the condition is known at load, only one branch remains",
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

`python -m tests.tools.operators_table` generates this page from the code, here with onnx {onnx}. A test compares it with
the code.

Loading a model that uses an operator not listed here fails with one error that lists all of them. Nothing falls back to
the host silently; `clconv show` names the nodes that run there.

- **opsets**: the opsets in which ONNX has the operator; "-" marks clconv's own operators, which are not in ONNX's main
  domain. The importer accepts opset 7 up to the newest that the installed `onnx` supports, and older ones where their
  operators already had the form of opset 7. It supports broadcasting by `axis`.
- **dtypes**: the element types of the data that work, each of them tried. f is float, i is int, u is unsigned: `i8-64`
  is int8, int16, int32 and int64. float16 is stored as half and computed in float32. float64 needs a device with
  `cl_khr_fp64`.
- **where**: *device*: kernels, the operator's own or those of *other operators*; *without a launch*: another view of the
  same memory; *at planning*: a value that follows from shapes; *at load*: replaced by other operators or constants.
  *host*: the shape of the result depends on data, or the operator controls what runs; it runs between device segments.
  Whatever depends only on constants is computed once, when the shapes are known.
- **variants**: the kernels that run the operator's cases in `clconv.cases`, best first. `CLCONV_VARIANT=conv:direct`
  forces one. ᶜ: on CPUs only; ᵍ: on GPUs only.
"""

_EDGES = """
## Behaviour that ONNX leaves undefined

The following holds on every device, in values that are computed at load, and in the NumPy references.

- **Integer overflow** keeps the low bits: `Add`, `Sub`, `Mul`, `Pow`, sums and products. `Pow` of an integer with a whole
  exponent wraps in the same way, even if the exponent is a float. With a fractional exponent the result is truncated
  towards zero. A negative power of an integer other than 1 and -1 is 0.
- **Integer division by zero** gives 0, in `Div` and in `Mod`. The smallest integer divided by -1 is the smallest integer,
  with the remainder 0. `Div` truncates towards zero.
- **Casts** from float to integer truncate towards zero and saturate; NaN becomes 0. (onnxruntime does what the processor
  does; on x86 some types wrap.) Integers become narrower ones by their low bits, as ONNX specifies. Any type becomes bool
  as "not zero".
- **`QuantizeLinear`**, alone or fused, saturates, and NaN becomes the smallest integer. `DynamicQuantizeLinear` of data
  with NaN or infinity gives a scale of NaN or infinity and the integers 0.
- **`Shrink`** of integers does not round `bias` and `lambd`; the result is truncated towards zero.
- **NaN and infinity** follow ONNX's formulas literally: `ThresholdedRelu(NaN)` and `Shrink(NaN)` are 0, `HardSwish(-Inf)`
  and `Swish(-Inf)` are NaN (infinity times 0), and a bound of `Clip` that is NaN has no effect.
- **Indices out of bounds**: if they are known at load, the model is refused. At run time, `Gather`, `GatherElements` and
  `GatherND` take the nearest element, and `ScatterElements`, `ScatterND` and `MaxUnpool` skip the update. Nothing outside
  a tensor is accessed. With `CLCONV_CHECK=1` they raise an error with the node and the index. An index of `OneHot` out of
  bounds gives no "on" value, as ONNX specifies.
- **`MaxUnpool` with `output_shape`**: indices count through that shape, as those of `MaxPool` count through its input.
  onnxruntime does the same. ONNX's own example counts through the default size; clconv does so if every index is then
  in the window of its element, and is not in the given shape.
- **`Resize` with `align_corners`** and scales without a whole size (4 * 2.4 = 9.6) uses the length of the result before
  rounding down, as in ONNX's cases. onnxruntime and OpenVINO use it after rounding.
- **`Gelu`** is computed from the tail of the normal distribution, not from `1 + erf`. Its relative error is at most 1e-6 over
  [-10, 10], where the result falls to 1e-22. The `tanh` form is computed with the logistic function: at most 3e-5 there,
  and 3e-7 right of -1. onnxruntime loses digits left of -4 and returns 0 at -5.6.
- **`Attention`** with a `softcap` of 0 or less applies none.
- **A `Loop`** that cannot end (no trip count, and a condition that is always true) is an error, and so is one of more
  trips than `CLCONV_LOOP_LIMIT`. Ctrl-C interrupts a long one.
"""

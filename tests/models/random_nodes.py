"""What a random graph is made of: each function adds one operator, or raises NotHere."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.models.random_graphs import NotHere, Value, Writer


@dataclasses.dataclass(frozen=True)
class Kind:
    """A way to grow a graph, and how often it is chosen."""

    weight: int
    add: Callable[[Writer], object]


def conv(w: Writer) -> Value:
    x = w.picked_image()
    spatial = x.rank - 2
    channels = x.size(1)
    assert channels is not None
    group = w.one([g for g in (1, 1, 1, 2, 3, 4, channels) if channels % g == 0])
    filters = group * w.one([1, 1, 2, 3, 4, 8] if group > 1 else [1, 2, 3, 5, 8, 16, 19])
    window = w.several(spatial, 1, 1) if w.chance(0.25) else w.several(spatial, 1, 4)
    if w.chance(0.4):
        window = [3] * spatial
    dilations = w.several(spatial, 1, 3) if w.chance(0.25) else [1] * spatial
    attrs = {"strides": strides(w, spatial), "dilations": dilations, "group": group}
    reach = [(k - 1) * d for k, d in zip(window, dilations, strict=True)]
    pads = [0] * 2 * spatial
    if w.chance(0.2):
        # onnxruntime has no SAME with dilation.
        attrs["auto_pad"] = w.one(
            ["SAME_UPPER", "SAME_LOWER"] if max(dilations) == 1 else ["VALID"]
        )
    elif w.chance(0.7):
        pads = w.several(2 * spatial, 0, max(1, min(3, max(reach))))
        attrs["pads"] = pads
    if attrs.get("auto_pad", "VALID") == "VALID":
        room = [x.least(a + 2) + pads[a] + pads[a + spatial] for a in range(spatial)]
        if any(r <= k for r, k in zip(room, reach, strict=True)):
            raise NotHere
    fan = channels // group * int(np.prod(window))
    weights = w.noise(filters, channels // group, *window, spread=fan**-0.5)
    bias = [w.noise(filters, spread=0.3)] if w.chance(0.6) else []
    return w.add("Conv", [x, weights, *bias], kernel_shape=window, **attrs)


def strides(w: Writer, spatial: int) -> list[int]:
    return w.several(spatial, 1, 3) if w.chance(0.3) else [1] * spatial


def conv_transpose(w: Writer) -> Value:
    x = w.picked_image()
    spatial = x.rank - 2
    channels = x.size(1)
    assert channels is not None
    group = w.one([g for g in (1, 1, 2, channels) if channels % g == 0])
    each = w.one([1, 2, 3, 4, 8])
    window = w.several(spatial, 1, 4)
    step = w.several(spatial, 1, 3)
    attrs = {"strides": step, "group": group, "kernel_shape": window}
    if w.chance(0.3):
        attrs["dilations"] = w.several(spatial, 1, 2)
    if w.chance(0.3):
        attrs["output_padding"] = [w.integer(0, s - 1) for s in step]
    if w.chance(0.5):
        attrs["pads"] = [w.integer(0, (k - 1) // 2) for k in window] * 2
    weights = w.noise(channels, each, *window, spread=(channels // group * 2) ** -0.5)
    bias = [w.noise(each * group)] if w.chance(0.5) else []
    return w.add("ConvTranspose", [x, weights, *bias], **attrs)


def wrapped(w: Writer) -> Value:
    """A convolution between two transposes, as TensorFlow's exporter writes it."""
    x = w.pick([v for v in w.values if v.rank == 4 and v.size(3) is not None])
    channels, filters = x.size(3), w.one([1, 4, 6, 8])
    assert channels is not None
    y = w.add("Transpose", [x], perm=[0, 3, 1, 2])
    weights = w.noise(filters, channels, 3, 3, spread=(9 * channels) ** -0.5)
    y = w.add("Conv", [y, weights, w.noise(filters)], kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    return w.add("Transpose", [y], perm=[0, 2, 3, 1])


def pad(w: Writer) -> Value:
    """Padding in every mode, more often of an image's own axes; a convolution often follows."""
    x = w.picked_image()
    mode = w.one(["constant", "reflect", "edge", "wrap"])
    most = [min(2, x.least(a) - 1) for a in range(x.rank)]
    begin, end = [0] * x.rank, [0] * x.rank
    for axis in range(2 if w.chance(0.8) else 1, x.rank):
        low = -1 if mode == "constant" and most[axis] > 1 and w.chance(0.15) else 0
        begin[axis], end[axis] = w.integer(low, most[axis]), w.integer(0, most[axis])
    value = [w.constant(w.one([0.0, 0.0, 0.7]))] if mode == "constant" and w.chance(0.5) else []
    return w.add("Pad", [x, w.constant(begin + end, np.int64), *value], mode=mode)


def pool(w: Writer) -> Value:
    x = w.picked_image()
    spatial = x.rank - 2
    op = w.one(["MaxPool", "MaxPool", "AveragePool", "AveragePool", "LpPool"])
    window = w.several(spatial, 1, 4)
    attrs: dict[str, Any] = {"strides": w.several(spatial, 1, 3)}
    if w.chance(0.15):
        attrs["auto_pad"] = w.one(["SAME_UPPER", "SAME_LOWER", "VALID"])
        attrs["strides"] = [w.integer(1, k) for k in window]  # onnxruntime fails on longer ones
    elif w.chance(0.5):
        attrs["pads"] = [w.integer(0, (k - 1) // 2) for k in window * 2]
    if op != "LpPool" and "auto_pad" not in attrs and w.chance(0.3):
        # ONNX's shape rule counts windows that would start behind the image; the runtimes do not.
        attrs["ceil_mode"] = int(all(np.less_equal(attrs["strides"], window)))
    if op == "AveragePool" and not attrs.get("ceil_mode"):
        attrs["count_include_pad"] = w.integer(0, 1)
    if op == "MaxPool" and "auto_pad" not in attrs and w.chance(0.2):
        attrs["dilations"] = w.several(spatial, 1, 2)
    spans = [(k - 1) * d + 1 for k, d in zip(window, attrs.get("dilations", [1] * 3), strict=False)]
    pads = attrs.get("pads", [0] * 2 * spatial)
    room = [x.least(a + 2) + pads[a] + pads[a + spatial] for a in range(spatial)]
    if not str(attrs.get("auto_pad")).startswith("SAME") and any(np.less(room, spans)):
        raise NotHere
    return w.add(op, [x], kernel_shape=window, **attrs)


def global_pool(w: Writer) -> Value:
    """A pooling of the whole image, usually scaled back onto it as an attention."""
    x = w.picked_image()
    pooled = w.add(w.one(["GlobalAveragePool", "GlobalMaxPool"]), [x])
    if w.chance(0.6):
        gate = w.add(w.one(["Sigmoid", "HardSigmoid", "Tanh"]), [pooled])
        return w.add("Mul", [x, gate] if w.chance(0.5) else [gate, x])
    return pooled


UNARY = [
    "Relu",
    "LeakyRelu",
    "Sigmoid",
    "Tanh",
    "HardSwish",
    "HardSigmoid",
    "Elu",
    "Selu",
    "Softplus",
    "Softsign",
    "Abs",
    "Neg",
    "Erf",
    "Gelu",
    "Mish",
    "Sin",
    "Cos",
    "ThresholdedRelu",
    "Celu",
    "Identity",
    "Atan",
]


def unary(w: Writer) -> Value:
    return w.add(w.one([u for u in UNARY if u != "ThresholdedRelu"]), [w.pick()])


def activation(w: Writer) -> Value:
    """What a fused epilogue is made of."""
    x = w.pick()
    kind = w.integer(0, 4)
    if kind == 0:
        bounds = [w.constant(-0.5 if w.chance(0.5) else 0.0), w.constant(w.one([0.8, 6.0]))]
        return w.add("Clip", [x, *w.one([bounds, bounds[:1], ["", bounds[1]]])])
    if kind == 1 and x.image:
        shape = [x.size(1), *[1] * (x.rank - 2)]
        return w.add(
            "PRelu", [x, w.constant(w.rng.uniform(0, 1, w.one([shape, [1] * len(shape)])))]
        )
    if kind == 2:
        return w.add("Mul", [x, w.add("Sigmoid", [x])])
    if kind == 3:
        return w.add("LeakyRelu", [x], alpha=0.1)
    return w.add("Relu", [x])


def with_constant(w: Writer) -> Value:
    """A constant beside a value: a scalar, one a channel, one a row or column, or a whole image."""
    x = w.pick()
    shape = [1] * x.rank
    for axis in range(x.rank):
        size = x.size(axis)
        if size is not None and w.chance(0.4):
            shape[axis] = size
    kept = w.one([shape, shape[1:], [], [1]])
    op = w.one(["Add", "Sub", "Mul", "Div", "Max", "Min"])
    other = w.positive(*kept) if op in ("Div", "Mul") else w.noise(*kept)
    return w.add(op, [x, other] if op == "Div" or w.chance(0.6) else [other, x])


def binary(w: Writer) -> Value:
    """Two values, of one shape or broadcast."""
    x = w.pick()

    def fits(y: Value) -> bool:
        return y is not x and all(
            a == b or 1 in (a, b)
            for one, other in zip(x.shapes, y.shapes, strict=True)
            for a, b in zip(reversed(one), reversed(other), strict=False)
        )

    y = w.pick([v for v in w.values if fits(v)])
    op = w.one(["Add", "Add", "Sub", "Mul", "Max", "Min", "Mean", "Where"])
    if op == "Where":
        mask = w.constant(w.rng.random(x.shapes[0][-1]) < 0.5, np.bool_)
        return w.add(op, [mask, x, y])
    if op == "Mul":  # products of products would run away
        y = w.add(w.one(["Sigmoid", "Tanh"]), [y])
    return w.add(op, [x, y] if w.chance(0.5) else [y, x])


def concat(w: Writer) -> Value:
    x = w.pick()
    axis = 1 if w.chance(0.7) else w.integer(0, x.rank - 1)
    if axis >= x.rank:
        raise NotHere

    def fits(y: Value) -> bool:
        return y.rank == x.rank and all(
            one[a] == other[a]
            for one, other in zip(x.shapes, y.shapes, strict=True)
            for a in range(x.rank)
            if a != axis
        )

    others = [w.pick([v for v in w.values if fits(v)]) for _ in range(w.integer(1, 3))]
    parts: list[Value | str] = [x, *others]
    if w.chance(0.15) and all(x.size(a) is not None for a in range(x.rank) if a != axis):
        shape = [x.size(a) or 1 for a in range(x.rank)]
        shape[axis] = 2
        parts.insert(w.integer(0, len(parts)), w.noise(*shape))
    return w.add("Concat", parts, axis=axis - x.rank if w.chance(0.2) else axis)


def split(w: Writer) -> Value:
    x = w.pick()
    axis = 1 if w.chance(0.7) else w.integer(0, x.rank - 1)
    size = x.size(axis) if axis < x.rank else None
    if size is None or size < 2:
        raise NotHere
    first = w.integer(1, size - 1)
    return w.add("Split", [x, w.constant([first, size - first], np.int64)], 2, axis=axis)


def take(w: Writer) -> Value:
    """A slice: steps, negative bounds, backwards; or a gather."""
    x = w.pick()
    axes = [a for a in range(x.rank) if w.chance(0.5) and x.least(a) > 2] or [x.rank - 1]
    if w.chance(0.25):
        axis = axes[0]
        indices = w.several(w.integer(1, 4), -x.least(axis), x.least(axis) - 1)
        return w.add("Gather", [x, w.constant(indices, np.int64)], axis=axis)
    starts, ends, steps = [], [], []
    for axis in axes:
        if w.chance(0.15):
            starts.append(-1), ends.append(-(2**31)), steps.append(-w.integer(1, 2))
        else:
            starts.append(w.integer(0, 1)), steps.append(w.one([1, 1, 2, 3]))
            ends.append(w.one([2**31 - 1, -1, x.least(axis)]))
    bounds = [w.constant(v, np.int64) for v in (starts, ends, axes, steps)]
    return w.add("Slice", [x, *bounds])


def transpose(w: Writer) -> Value:
    x = w.pick()
    if w.chance(0.3):
        perm = [int(p) for p in w.rng.permutation(x.rank)]
    elif w.chance(0.5):
        perm = [0, *range(2, x.rank), 1]
    else:
        perm = [0, x.rank - 1, *range(1, x.rank - 1)]
    if sorted(perm) != list(range(x.rank)):
        raise NotHere
    return w.add("Transpose", [x], perm=perm)


def reshape(w: Writer) -> Value:
    x = w.pick()
    kind = w.integer(0, 3)
    if kind == 0 and x.rank > 3:
        return w.add("Reshape", [x, w.constant([0, 0, -1], np.int64)])
    if kind == 1 and x.rank in (3, 4):
        channels = x.size(1)
        group = w.one(
            [g for g in (1, 2, 3, 4) if channels is not None and channels % g == 0] or [0]
        )
        if not group or x.rank != 4:
            raise NotHere
        parts = w.add(
            "Reshape", [x, w.constant([0, group, channels // group, -1], np.int64)]
        )  # a channel shuffle, but for its last reshape
        return w.add("Transpose", [parts], perm=[0, 2, 1, 3])
    if kind == 2 and x.rank < 5:
        return w.add("Unsqueeze", [x, w.constant([w.integer(1, x.rank)], np.int64)])
    ones = [a for a in range(1, x.rank) if x.size(a) == 1]
    if not ones or x.rank < 3:
        raise NotHere
    return w.add("Squeeze", [x, w.constant([w.one(ones)], np.int64)])


def depth(w: Writer) -> Value:
    x = w.pick([v for v in w.values if v.image and v.rank == 4])
    if x.size(1) in (4, 8, 12, 16):
        return w.add("DepthToSpace", [x], blocksize=2, mode=w.one(["DCR", "CRD"]))
    if any(s % 2 for shape in x.shapes for s in shape[2:]):
        raise NotHere
    return w.add("SpaceToDepth", [x], blocksize=2)


def resize(w: Writer) -> Value:
    x = w.picked_image()
    mode = w.one(["nearest", "nearest", "linear", "cubic"])
    if mode == "cubic" and x.rank != 4:
        raise NotHere
    attrs: dict[str, object] = {"mode": mode}
    attrs["coordinate_transformation_mode"] = w.one(
        ["half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"]
    )
    if mode == "nearest":
        attrs["coordinate_transformation_mode"] = w.one(["half_pixel", "asymmetric"])
        attrs["nearest_mode"] = w.one(["floor", "round_prefer_floor", "ceil"])
    sizes = [x.size(a) for a in range(x.rank)]
    if w.chance(0.3) and None not in sizes:
        wanted = [*sizes[:2], *[max(1, s + w.integer(-3, 6)) for s in sizes[2:] if s]]
        return w.add("Resize", [x, "", "", w.constant(wanted, np.int64)], **attrs)
    # Halves and doubles: a coordinate on a rounding edge would be a toss-up for nearest.
    scales = [1.0, 1.0, *[w.one([2.0, 2.0, 1.0, 0.5, 1.5]) for _ in range(x.rank - 2)]]
    if mode == "nearest":
        scales = [w.one([2.0, 3.0]) if s == 1.5 else s for s in scales]
    if attrs["coordinate_transformation_mode"] == "align_corners":
        # Where a size is not whole, onnxruntime aligns the rounded one and ONNX's own cases the other.
        scales = [1.0 if s in (0.5, 1.5) else s for s in scales]
    return w.add("Resize", [x, "", w.constant(scales)], **attrs)


def batch_norm(w: Writer) -> Value:
    x = w.picked_image()
    c = x.size(1) or 1
    parts = [w.positive(c), w.noise(c), w.noise(c), w.positive(c)]
    return w.add("BatchNormalization", [x, *parts], epsilon=1e-3)


def norm(w: Writer) -> Value:
    x = w.picked_image()
    c = x.size(1) or 1
    op = w.one(["InstanceNormalization", "LayerNormalization", "LRN", "Softmax", "LogSoftmax"])
    if op == "InstanceNormalization":
        return w.add(op, [x, w.positive(c), w.noise(c)], epsilon=0.1)
    if op == "LayerNormalization":
        axis = w.one([1, -1])
        sizes = [x.size(a) for a in range(x.rank)][axis:]
        if None in sizes:
            raise NotHere
        parts = [w.positive(*sizes), w.noise(*sizes)][: w.integer(1, 2)]  # type: ignore[arg-type]
        return w.add(op, [x, *parts], axis=axis, epsilon=0.1)
    if op == "LRN":
        if x.rank != 4:  # onnxruntime knows no other
            raise NotHere
        return w.add(op, [x], size=w.one([3, 5]), alpha=0.1)
    return w.add(op, [x], axis=w.integer(-2, x.rank - 1))


REDUCTIONS = [
    "ReduceMean",
    "ReduceMean",
    "ReduceSum",
    "ReduceMax",
    "ReduceMin",
    "ReduceL1",
    "ReduceL2",
    "ReduceLogSumExp",
    "ReduceSumSquare",
]


def reduce(w: Writer) -> Value:
    x = w.pick()
    axes = [a for a in range(1, x.rank) if w.chance(0.4)] or [x.rank - 1]
    keep = w.integer(0, 1) if x.rank - len(axes) >= 3 else int(w.chance(0.8))
    if w.chance(0.3):
        axes = [a - x.rank for a in axes]
    inside = w.add("Tanh", [x])  # sums of large values would drown all else
    return w.add(w.one(REDUCTIONS), [inside, w.constant(axes, np.int64)], keepdims=keep)


def dense(w: Writer) -> Value:
    """Flatten and Gemm where sizes are fixed, or MatMul along the last axis."""
    x = w.pick()
    units = w.one([1, 4, 7, 16, 33])
    sizes = [x.size(a) for a in range(1, x.rank)]
    if None not in sizes and w.chance(0.6):
        flat = x if x.rank == 2 else w.add("Flatten", [x], axis=1)
        length = flat.size(1)
        if length is None:
            raise NotHere
        trans = w.integer(0, 1)
        shape = (units, length) if trans else (length, units)
        bias = [w.noise(*w.one([(units,), (1, units), (1,)]))] if w.chance(0.7) else []
        weights = w.noise(*shape, spread=length**-0.5)
        return w.add("Gemm", [flat, weights, *bias], transB=trans)
    length = x.size(-1)
    if length is None or x.rank < 2:
        raise NotHere
    return w.add("MatMul", [x, w.noise(length, units, spread=length**-0.5)])


def matmul(w: Writer) -> Value:
    """A value times its own transpose: both factors come from the network."""
    x = w.pick([v for v in w.values if v.rank in (3, 4)])
    perm = [*range(x.rank - 2), x.rank - 1, x.rank - 2]
    small = w.add("Tanh", [x])
    return w.add("MatMul", [small, w.add("Transpose", [small], perm=perm)])


def repeat(w: Writer) -> Value:
    x = w.pick()
    if w.chance(0.5):
        return w.add("Tile", [x, w.constant([1, *w.several(x.rank - 1, 1, 2)], np.int64)])
    shape = [2 if x.size(a) == 1 and w.chance(0.7) else 1 for a in range(x.rank)]
    return w.add("Expand", [x, w.constant(shape, np.int64)])


def along(w: Writer) -> Value:
    x = w.pick()
    axis = w.integer(0, x.rank - 1)
    op = w.one(["CumSum", "Hard"])
    if op == "CumSum":
        small = w.add("Tanh", [x])
        exclusive, reverse = w.several(2, 0, 1)
        return w.add(op, [small, w.constant(axis, np.int64)], exclusive=exclusive, reverse=reverse)
    return w.add("HardSigmoid", [x], alpha=0.3, beta=0.4)


KINDS = (
    Kind(16, conv),
    Kind(4, conv_transpose),
    Kind(4, wrapped),
    Kind(6, pad),
    Kind(7, pool),
    Kind(3, global_pool),
    Kind(6, unary),
    Kind(8, activation),
    Kind(6, with_constant),
    Kind(8, binary),
    Kind(6, concat),
    Kind(4, split),
    Kind(4, take),
    Kind(5, transpose),
    Kind(4, reshape),
    Kind(2, depth),
    Kind(4, resize),
    Kind(5, batch_norm),
    Kind(3, norm),
    Kind(3, reduce),
    Kind(3, dense),
    Kind(1, matmul),
    Kind(1, repeat),
    Kind(1, along),
)

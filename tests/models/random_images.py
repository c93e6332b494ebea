"""What images go through in a random graph: windows, paddings, scales, norms; see random_nodes."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.models.random_graphs import NotHere, Value, Writer


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

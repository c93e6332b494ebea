"""Cases of one operator at sizes that networks have: the table of clconv.cases has awkward ones, which are mostly tiny."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from clconv.cases.base import Case, Operand, data, ints, weight, window
from clconv.graph.ops.elementwise.elementwise import ROWS

_LABEL = "sized, {}"
IMAGE = (1, 64, 56, 56)  # between the layers of a network for pictures of 224x224
LARGE = (1, 32, 112, 112)
WORDS = (1, 197, 192)  # of ViT-Ti/16
# Where functions are defined; elsewhere from -4 to 4.
_DOMAINS = {
    "Sqrt": (0.0, 9.0), "Log": (0.01, 9.0), "Asin": (-1.0, 1.0), "Acos": (-1.0, 1.0), "Acosh": (1.0, 9.0),
    "Atanh": (-0.99, 0.99), "Tan": (-1.4, 1.4), "Reciprocal": (0.3, 4.0), "Pow": (0.1, 3.0), "Div": (0.5, 4.0),
    "Mod": (0.5, 4.0),
}  # fmt: skip


def sized(op: str, *inputs: Operand | None, label: str = "", **attrs: Any) -> Case:
    shape = "x".join(map(str, next(i.shape for i in inputs if i is not None)))
    return Case(op, _LABEL.format(f"{shape} {label}".strip()), inputs, attrs)


def sized_cases() -> list[Case]:
    """All of them, of every operator that networks use."""
    return [
        *element_wise(), *convolutions(), *pools(), *norms(), *products(), *movement(), *indexing(), *reductions(),
        *sampling(), *quantised(),
    ]  # fmt: skip


def element_wise() -> Iterator[Case]:
    for op, row in ROWS.items():
        if row.kind in ("bool", "int") or op.endswith("Gradient") or op == "FakeQuantize":
            continue
        low, high = _DOMAINS.get(op, (-4.0, 4.0))
        attrs = {"fmod": 1} if op == "Mod" else {}
        first = Operand(IMAGE, "bool") if row.condition_first else data(*IMAGE, low=low, high=high)
        rest = [data(*IMAGE, low=low, high=high)] * (1 if op == "Clip" else row.arity - 1)
        yield sized(op, first, *(() if op == "Clip" else rest), **attrs)
    for op in ("Add", "Mul", "PRelu"):
        yield sized(op, data(*IMAGE), weight(64, 1, 1), label="by channel")
    yield sized("Mul", data(*IMAGE), data(1, 64, 1, 1), label="by channel, fed")
    yield sized("Add", data(*WORDS), weight(192), label="last axis")
    for source, target in (("float32", "float16"), ("uint8", "float32"), ("int64", "float32")):
        yield sized("Cast", Operand(IMAGE, source, high=100), label=f"{source} {target}", to=target)


def convolutions() -> Iterator[Case]:
    def conv(x: tuple[int, ...], w: tuple[int, ...], **attrs: Any) -> Case:
        label = f"by {'x'.join(map(str, w))} {' '.join(f'{k} {v}' for k, v in attrs.items())}"
        return sized("Conv", data(*x), weight(*w), weight(w[0]), label=label, **window(2, **attrs))

    one, three = (1, 1, 1, 1), (3, 3, 3, 3)
    yield conv(IMAGE, (64, 64, 3, 3), pads=one)
    yield conv(IMAGE, (128, 64, 3, 3), pads=one, strides=(2, 2))
    yield conv(IMAGE, (256, 64, 1, 1))
    yield conv((1, 3, 224, 224), (64, 3, 7, 7), pads=three, strides=(2, 2))
    yield conv((1, 3, 224, 224), (192, 3, 16, 16), strides=(16, 16))
    yield conv((1, 96, 112, 112), (96, 1, 3, 3), pads=one, group=96)
    yield conv(IMAGE, (64, 64, 3, 3), pads=(2, 2, 2, 2), dilations=(2, 2))
    up = window(2, strides=(2, 2))
    yield sized("ConvTranspose", data(1, 64, 56, 56), weight(64, 32, 2, 2), label="2x2", **up)
    up = window(2, strides=(2, 2), pads=one)
    yield sized("ConvTranspose", data(1, 64, 56, 56), weight(64, 32, 4, 4), label="4x4", **up)


def pools() -> Iterator[Case]:
    for op in ("MaxPool", "AveragePool"):
        for size, stride, pad in ((2, 2, 0), (3, 2, 1), (3, 1, 1)):
            pads = (pad,) * 4
            attrs = window(2, strides=(stride, stride), pads=pads, kernel_shape=(size, size))
            yield sized(op, data(*LARGE), label=f"{size}x{size} stride {stride}", **attrs)
    for op in ("GlobalAveragePool", "GlobalMaxPool"):
        yield sized(op, data(1, 512, 7, 7))
        yield sized(op, data(*IMAGE))


def norms() -> Iterator[Case]:
    channels = [weight(64, low=0.5) for _ in range(4)]
    yield sized("BatchNormalization", data(*IMAGE), *channels)
    yield sized("InstanceNormalization", data(*IMAGE), *channels[:2])
    yield sized("GroupNormalization", data(*IMAGE), *channels[:2], num_groups=8)
    yield sized("LayerNormalization", data(*WORDS), weight(192), weight(192), axis=-1)
    yield sized("LRN", data(*IMAGE), size=5)
    yield sized("Softmax", data(1, 1000), axis=-1)
    yield sized("Softmax", data(1, 3, 197, 197), axis=-1)
    yield sized("Softmax", data(1, 21, 128, 128), axis=1)
    yield sized("LogSoftmax", data(1, 1000), axis=-1)
    yield sized("LpNormalization", data(1, 512), axis=-1, p=2)


def products() -> Iterator[Case]:
    yield sized("MatMul", data(197, 192), weight(192, 576), label="192x576")
    yield sized("MatMul", data(197, 192), weight(192, 768), label="192x768")
    yield sized("MatMul", data(1, 3, 197, 64), data(1, 3, 64, 197), label="of two fed")
    yield sized("MatMul", data(1, 3, 197, 197), data(1, 3, 197, 64), label="of two fed")
    yield sized("Gemm", data(1, 512), weight(1000, 512), weight(1000), transB=1)
    yield sized("Gemm", data(64, 512), weight(1000, 512), weight(1000), transB=1)


def movement() -> Iterator[Case]:
    yield sized("Transpose", data(*IMAGE), label="to NHWC", perm=(0, 2, 3, 1))
    yield sized("Transpose", data(1, 56, 56, 64), label="to NCHW", perm=(0, 3, 1, 2))
    yield sized("Transpose", data(1, 197, 3, 64), label="heads", perm=(0, 2, 1, 3))
    yield sized("Concat", data(*IMAGE), data(*IMAGE), axis=1)
    yield sized("Concat", data(1, 8400, 4), data(1, 8400, 80), axis=2)
    halves = ints(32, 32)
    yield Case("Split", _LABEL.format("1x64x56x56"), (data(*IMAGE), halves), {"axis": 1}, outputs=2)
    yield sized("Slice", data(*IMAGE), ints(0, 0), ints(56, 56), ints(2, 3), ints(2, 2))
    pads = ints(0, 0, 1, 1, 0, 0, 1, 1)
    for mode in ("constant", "reflect", "edge"):
        yield sized("Pad", data(*IMAGE), pads, label=mode, mode=mode)
    yield sized("DepthToSpace", data(*IMAGE), blocksize=2, mode="DCR")
    yield sized("SpaceToDepth", data(*IMAGE), blocksize=2)
    yield sized("Expand", data(1, 64, 1, 1), ints(*IMAGE))
    yield sized("Tile", data(1, 16, 56, 56), ints(1, 4, 1, 1))
    yield sized("Reshape", data(*IMAGE), ints(1, 64, -1))


def indexing() -> Iterator[Case]:
    rows = Operand((128,), "int64", low=0, high=1000)
    yield sized("Gather", data(1000, 192), rows, axis=0)
    yield sized("Gather", data(*IMAGE), ints(*range(0, 64, 2)), label="channels", axis=1)
    at = Operand(IMAGE, "int64", low=0, high=56)
    yield sized("GatherElements", data(*IMAGE), at, axis=3)
    points = Operand((1000, 2), "int64", low=0, high=56)
    yield sized("GatherND", data(56, 56, 64), points)
    yield sized("ScatterND", data(56, 56, 64), points, data(1000, 64), reduction="add")
    yield sized(
        "OneHot",
        Operand((197,), "int64", high=1000),
        Operand((), "int64", True, values=1000),
        weight(2),
    )
    most = Operand((1,), "int64", True, values=[100])
    yield Case("TopK", _LABEL.format("1x8400"), (data(1, 8400), most), {"axis": -1}, outputs=2)
    yield Case(
        "TopK",
        _LABEL.format("1x80x8400 axis 1"),
        (data(1, 80, 8400), ints(1)),
        {"axis": 1},
        outputs=2,
    )
    yield sized("CumSum", data(1, 197, 192), Operand((), "int64", True, values=1))


def reductions() -> Iterator[Case]:
    for op in ("ReduceMean", "ReduceMax", "ReduceSum", "ReduceL2"):
        yield sized(op, data(*IMAGE), ints(2, 3), label="pixels", keepdims=1)
    yield sized("ReduceMean", data(*IMAGE), ints(1), label="channels", keepdims=1)
    yield sized("ReduceMean", data(*WORDS), ints(-1), label="last axis", keepdims=1)
    yield sized("ArgMax", data(1, 1000), axis=1, keepdims=1)
    yield sized("ArgMax", data(1, 21, 128, 128), axis=1, keepdims=1)


def sampling() -> Iterator[Case]:
    ways: tuple[dict[str, Any], ...] = (
        {
            "mode": "nearest",
            "coordinate_transformation_mode": "asymmetric",
            "nearest_mode": "floor",
        },
        {"mode": "linear", "coordinate_transformation_mode": "half_pixel"},
        {"mode": "linear", "coordinate_transformation_mode": "align_corners"},
        {"mode": "cubic", "coordinate_transformation_mode": "half_pixel", "cubic_coeff_a": -0.75},
    )
    for way in ways:
        label = f"{way['mode']} {way['coordinate_transformation_mode']}"
        sizes = ints(1, 64, 112, 112)
        yield sized("Resize", data(*IMAGE), None, None, sizes, label=label, **way)
    grid = data(1, 56, 56, 2)
    for mode in ("linear", "nearest", "cubic"):
        yield sized("GridSample", data(*IMAGE), grid, label=mode, mode=mode)
    corners = [[x, y, x + 120, y + 90] for x in range(0, 400, 40) for y in range(0, 400, 40)]
    boxes = Operand((100, 4), values=corners)
    which = Operand((100,), "int64", True, values=[0] * 100)
    attrs = {"output_height": 7, "output_width": 7, "sampling_ratio": 2, "spatial_scale": 0.1}
    yield sized("RoiAlign", data(1, 256, 50, 50), boxes, which, **attrs)


def quantised() -> Iterator[Case]:
    scale, zero = weight(values=0.03), Operand((), "uint8", True, values=117)
    yield sized("QuantizeLinear", data(*IMAGE), scale, zero)
    yield sized("DequantizeLinear", Operand(IMAGE, "uint8", low=0, high=256), scale, zero)
    yield Case("DynamicQuantizeLinear", _LABEL.format("1x64x56x56"), (data(*IMAGE),), outputs=3)

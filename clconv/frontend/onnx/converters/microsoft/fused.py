"""Fused products and activations: FusedConv, FusedGemm, FusedMatMul, Gelu in all its forms."""

from __future__ import annotations

import dataclasses

from clconv.frontend.onnx.build import Builder, Converter, Source
from clconv.frontend.onnx.converters import window

_CONV = window.CONVERTERS["Conv"]

# Activation -> names of its parameters, in the order in which they are listed.
_PARAMETERS: dict[str, tuple[str, ...]] = {
    "Relu": (),
    "Tanh": (),
    "Sigmoid": (),
    "Elu": ("alpha",),
    "LeakyRelu": ("alpha",),
    "HardSigmoid": ("alpha", "beta"),
    "HardSwish": (),
    "Clip": ("min", "max"),
}


def emit_activation(
    source: Source, build: Builder, x: str, kind: str, parameters: tuple[float, ...]
) -> None:
    """The node's last step: its activation of x, or x itself where it has none."""
    if not kind:
        build.emit("Identity", (x,), source.outputs[:1], source.name)
        return
    if kind not in _PARAMETERS:
        source.unsupported(f"activation {kind!r}; there are {', '.join(_PARAMETERS)}")
    given = dict(zip(_PARAMETERS[kind], parameters, strict=False))
    inputs = [x]
    if kind == "Clip":
        inputs += [
            build.scalar_like(source, given[bound], x, bound) if bound in given else ""
            for bound in ("min", "max")
        ]
        given = {}
    build.emit(kind, inputs, source.outputs[:1], source.name, given)


def fused_conv(source: Source, build: Builder) -> None:
    """activation(Conv(x, w, b) + z)."""
    activation = source.attrs.get("activation", "")
    parameters = source.attrs.get("activation_params", ())
    product = build.values.fresh(f"{source.name}/product")
    conv = dataclasses.replace(
        source,
        op="Conv",
        name=build.node_names.fresh(f"{source.name}/conv"),
        inputs=source.inputs[:3],
        outputs=(product,),
        attrs=source.without("activation", "activation_params"),
    )
    _CONV(conv, build)
    if source.input(3):
        product = build.helper(source, "Add", (product, source.input(3)), "sum")
    emit_activation(source, build, product, activation, tuple(parameters))


def _fused_gemm(source: Source, build: Builder) -> None:
    extra = ("activation", "activation_alpha", "activation_beta", "activation_gamma")
    product = build.helper(source, "Gemm", source.inputs, "product", **source.without(*extra))
    parameters = tuple(source.attrs[k] for k in extra[1:3] if k in source.attrs)
    emit_activation(source, build, product, source.attrs.get("activation", ""), parameters)


def _fused_matmul(source: Source, build: Builder) -> None:
    """alpha * A @ B, each operand transposed before where it says so."""
    operands = [_turned(source, build, index, letter) for index, letter in ((0, "A"), (1, "B"))]
    alpha = source.attrs.get("alpha", 1.0)
    if alpha == 1.0:
        build.emit("MatMul", operands, source.outputs, source.name)
        return
    product = build.helper(source, "MatMul", operands, "product")
    factor = build.scalar_like(source, alpha, source.input(0), "alpha")
    build.emit("Mul", (product, factor), source.outputs, source.name)


def _turned(source: Source, build: Builder, index: int, letter: str) -> str:
    name = source.input(index)
    swap = source.attrs.get(f"trans{letter}", 0)
    batch = source.attrs.get(f"transBatch{letter}", 0)
    if not swap and not batch:
        return name
    rank = build.rank(name)
    if rank is None:
        if batch:
            source.unsupported(f"transBatch{letter} of an operand whose rank is not known")
        return build.helper(source, "Einsum", (name,), "turned", equation="...mk->...km")
    if rank < 2:
        return name
    axes = list(range(rank))
    if batch:  # the first axis goes behind the batch: (M, batch..., K) -> (batch..., M, K)
        axes = [*range(1, rank - 1), 0, rank - 1]
    if swap:
        axes[-2:] = axes[:-3:-1]
    return build.helper(source, "Transpose", (name,), "turned", perm=tuple(axes))


def _gelu(approximate: str) -> Converter:
    """Gelu of x, or of x + bias."""

    def convert(source: Source, build: Builder) -> None:
        x = source.input(0)
        if source.input(1):
            x = build.helper(source, "Add", source.inputs[:2], "biased")
        build.emit("Gelu", (x,), source.outputs, source.name, {"approximate": approximate})

    return convert


def _quick_gelu(source: Source, build: Builder) -> None:
    """x * sigmoid(alpha * x)."""
    alpha = {"alpha": source.attrs.get("alpha", 1.702)}
    build.emit("Swish", source.inputs, source.outputs, source.name, alpha)


def _bias_split_gelu(source: Source, build: Builder) -> None:
    """Of x + bias the first half of the last axis, times gelu of the second."""
    biased = build.helper(source, "Add", source.inputs, "biased")
    halves = [build.values.fresh(f"{source.name}/half{i}") for i in range(2)]
    attrs = {"axis": -1, "num_outputs": 2}
    build.emit("Split", (biased,), halves, build.node_names.fresh(f"{source.name}/halves"), attrs)
    gate = build.helper(source, "Gelu", halves[1:], "gate")
    build.emit("Mul", (halves[0], gate), source.outputs, source.name)


def _bias_softmax(source: Source, build: Builder) -> None:
    if not source.attrs.get("is_inner_broadcast", 1):
        source.unsupported("is_inner_broadcast 0")
    biased = build.helper(source, "Add", source.inputs, "biased")
    axis = source.attrs.get("axis", 1)
    rank = build.rank(source.input(0))
    if axis != -1 and (not rank or axis % rank != rank - 1):
        source.unsupported(f"axis {axis} of rank {rank}, only the last axis")
    build.emit("Softmax", (biased,), source.outputs, source.name, {"axis": -1})


def _sum(source: Source, build: Builder) -> None:
    """x + bias + skip, whichever are there."""
    given = [n for n in source.inputs[:3] if n]
    build.emit("Sum", given, source.outputs[:1], source.name)


def _bias_dropout(source: Source, build: Builder) -> None:
    training = build.known(source.input(4)) if source.input(4) else None
    if training is not None and training.any():
        source.unsupported("training mode")
    if source.output(1):
        source.unsupported("the mask, which only training has")
    _sum(source, build)


CONVERTERS: dict[str, Converter] = {
    "FusedConv": fused_conv,
    "FusedGemm": _fused_gemm,
    "FusedMatMul": _fused_matmul,
    "TransposeMatMul": _fused_matmul,
    "Gelu": _gelu("none"),
    "BiasGelu": _gelu("none"),
    "FastGelu": _gelu("tanh"),
    "QuickGelu": _quick_gelu,
    "BiasSplitGelu": _bias_split_gelu,
    "BiasSoftmax": _bias_softmax,
    "BiasAdd": _sum,
    "BiasDropout": _bias_dropout,
}

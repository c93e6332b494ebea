"""Inputs and attributes of onnxruntime's operators, which the onnx package has no schemas of.

From https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md.
"""

from __future__ import annotations

from collections.abc import Mapping

from onnx import AttributeProto

from clconv.frontend.onnx.build import Source
from clconv.records import record

_KINDS = {
    "int": AttributeProto.INT,
    "float": AttributeProto.FLOAT,
    "string": AttributeProto.STRING,
    "ints": AttributeProto.INTS,
    "floats": AttributeProto.FLOATS,
    "strings": AttributeProto.STRINGS,
}


@record(frozen=True)
class MicrosoftSchema:
    """least: inputs that must be there. kinds: attribute -> AttributeProto's number for its type. required: those
    that have no default."""

    least: int
    kinds: Mapping[str, int]
    required: frozenset[str]

    def check(self, source: Source) -> None:
        """GraphError if an input or an attribute that must be there is missing, or there is no output."""
        for index in range(self.least):
            if not source.input(index):
                source.fail(f"input {index} is missing, it takes at least {self.least}")
        missing = sorted(self.required - source.attrs.keys())
        if missing:
            source.fail(f"attributes {missing} are required")
        if not source.output(0):
            source.fail("has no first output")


def _schema(least: int, **attributes: str) -> MicrosoftSchema:
    """attributes: name -> kind, with a * behind it where the attribute is required."""
    kinds = {name: _KINDS[kind.rstrip("*")] for name, kind in attributes.items()}
    required = frozenset(name for name, kind in attributes.items() if kind.endswith("*"))
    return MicrosoftSchema(least, kinds, required)


_WINDOW = {
    "auto_pad": "string",
    "kernel_shape": "ints",
    "dilations": "ints",
    "strides": "ints",
    "pads": "ints",
}
_POOL = {**_WINDOW, "kernel_shape": "ints*", "ceil_mode": "int"}
_TURNED = dict.fromkeys(("transA", "transB", "transBatchA", "transBatchB"), "int")
_NORM = {"axis": "int", "epsilon": "float", "stash_type": "int"}
_GROUPS = {"epsilon": "float", "groups": "int*", "activation": "int*", "channels_last": "int"}
_QUANTISE = dict.fromkeys(("axis", "block_size", "output_dtype", "precision", "saturate"), "int")

SCHEMAS: Mapping[str, MicrosoftSchema] = {
    "Attention": _schema(
        2, num_heads="int*", unidirectional="int", qkv_hidden_sizes="ints", do_rotary="int",
        past_present_share_buffer="int", rotary_embedding_dim="int", scale="float",
        mask_filter_value="float",
    ),
    "MultiHeadAttention": _schema(
        1, num_heads="int*", unidirectional="int", scale="float", mask_filter_value="float"
    ),
    "QAttention": _schema(
        5, num_heads="int*", unidirectional="int", do_rotary="int", past_present_share_buffer="int", scale="float",
        mask_filter_value="float",
    ),
    "FusedConv": _schema(2, group="int", activation="string", activation_params="floats", **_WINDOW),
    "FusedGemm": _schema(
        2, transA="int", transB="int", alpha="float", beta="float", activation="string",
        activation_alpha="float", activation_beta="float", activation_gamma="float",
    ),
    "FusedMatMul": _schema(2, alpha="float", **_TURNED),
    "TransposeMatMul": _schema(2, alpha="float", **_TURNED),
    "Gelu": _schema(1),
    "BiasGelu": _schema(2),
    "FastGelu": _schema(1),
    "QuickGelu": _schema(1, alpha="float"),
    "BiasSplitGelu": _schema(2),
    "BiasSoftmax": _schema(2, axis="int", is_inner_broadcast="int"),
    "BiasAdd": _schema(3),
    "BiasDropout": _schema(2, seed="int"),
    "LayerNormalization": _schema(2, **_NORM),
    "SimplifiedLayerNormalization": _schema(2, **_NORM),
    "SkipLayerNormalization": _schema(3, epsilon="float"),
    "SkipSimplifiedLayerNormalization": _schema(3, epsilon="float"),
    "EmbedLayerNormalization": _schema(1, epsilon="float", mask_index_type="int"),
    "GroupNorm": _schema(3, **_GROUPS),
    "SkipGroupNorm": _schema(4, **_GROUPS),
    "ExpandDims": _schema(2),
    "GatherND": _schema(2),
    "GridSample": _schema(2, mode="string", padding_mode="string", align_corners="int"),
    "Pad": _schema(2, mode="string"),
    "Range": _schema(2),
    "Trilu": _schema(1, upper="int"),
    "Unique": _schema(1),
    "QuantizeLinear": _schema(2, **_QUANTISE),
    "DequantizeLinear": _schema(2, **_QUANTISE),
    "QLinearAdd": _schema(7),
    "QLinearMul": _schema(7),
    "QLinearLeakyRelu": _schema(4, alpha="float"),
    "QLinearSigmoid": _schema(4),
    "QLinearSoftmax": _schema(4, axis="int", opset="int"),
    "QLinearConcat": _schema(5, axis="int*"),
    "QLinearWhere": _schema(8),
    "QLinearReduceMean": _schema(4, axes="ints", keepdims="int"),
    "QLinearAveragePool": _schema(4, count_include_pad="int", channels_last="int", **_POOL),
    "QLinearGlobalAveragePool": _schema(4, channels_last="int"),
    "NhwcMaxPool": _schema(1, **_POOL),
    "QLinearConv": _schema(8, group="int", channels_last="int", **_WINDOW),
    "QGemm": _schema(6, transA="int", transB="int", alpha="float"),
    "DynamicQuantizeMatMul": _schema(3),
    "MatMulIntegerToFloat": _schema(4),
    "MatMulNBits": _schema(
        3, K="int*", N="int*", bits="int", block_size="int*", accuracy_level="int", weight_prepacked="int"
    ),
    "DynamicQuantizeLSTM": _schema(
        3, activation_alpha="floats", activation_beta="floats", activations="strings", clip="float",
        direction="string", hidden_size="int", input_forget="int",
    ),
}  # fmt: skip

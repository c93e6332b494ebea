"""Attention with its projections, and MultiHeadAttention, as ONNX's Attention says them."""

from __future__ import annotations

from clconv.frontend.onnx.build import Builder, Converter, Source
from clconv.frontend.onnx.converters.microsoft.mask import add_mask
from clconv.frontend.onnx.converters.microsoft.quantised_product import scaled_sums


def _attention(source: Source, build: Builder) -> None:
    """x @ weights + bias, cut into queries, keys and values; inputs x, weights, bias, mask, past, added."""
    _refuse(source, {4: "past", 6: "past_sequence_length"})
    projected = build.helper(source, "MatMul", source.inputs[:2], "projected")
    _projected_attention(source, build, projected, 3, source.input(5))


def _quantised_attention(source: Source, build: Builder) -> None:
    """QAttention: x and weights are integers. Inputs x, weights, bias, their scales, mask, their zero points, past."""
    _refuse(source, {8: "past"})
    x = (source.input(0), source.input(3), source.input(6))
    weights = (source.input(1), source.input(4), source.input(7))
    _projected_attention(source, build, scaled_sums(source, build, x, weights), 5, "")


def _projected_attention(
    source: Source, build: Builder, projected: str, mask: int, added: str
) -> None:
    """mask: the input that says which keys are seen. added: what is added to the scores, or ""."""
    if any(source.outputs[1:]) or source.attrs.get("do_rotary"):
        source.unsupported("a cache of keys and values, or rotary embedding")
    if source.input(2):
        projected = build.helper(source, "Add", (projected, source.input(2)), "biased")
    parts = [build.values.fresh(f"{source.name}/{letter}") for letter in "qkv"]
    sizes = source.attrs.get("qkv_hidden_sizes")
    inputs, attrs = [projected], {"axis": -1, "num_outputs": 3}
    if sizes:
        inputs.append(build.integers(source, sizes, "sizes"))
        del attrs["num_outputs"]
    build.emit("Split", inputs, parts, build.node_names.fresh(f"{source.name}/split"), attrs)
    added = add_mask(
        source, build, mask, source.input(0), source.input(2) or source.input(0), added
    )
    _emit(source, build, parts, added, source.attrs.get("unidirectional", 0))


def _multi_head(source: Source, build: Builder) -> None:
    """Inputs query, key, value, bias, key padding mask, added, past key, past value."""
    cache = {6: "past_key", 7: "past_value", 8: "past_sequence_length", 9: "cache_indirection"}
    _refuse(source, cache)
    if any(source.outputs[1:]):
        source.unsupported("a cache of keys and values")
    parts = list(source.inputs[:3])
    if len([n for n in parts if n]) < 3 or build.rank(parts[1]) not in (None, 3):
        source.unsupported("queries, keys and values packed into one tensor")
    bias = source.input(3)
    if bias:
        pieces = [build.values.fresh(f"{source.name}/bias_{letter}") for letter in "qkv"]
        name = build.node_names.fresh(f"{source.name}/bias")
        build.emit("Split", (bias,), pieces, name, {"axis": 0, "num_outputs": 3})
        parts = [
            build.helper(source, "Add", pair, "biased") for pair in zip(parts, pieces, strict=True)
        ]
    added = add_mask(source, build, 4, source.input(1), source.input(0), source.input(5))
    _emit(source, build, parts, added, source.attrs.get("unidirectional", 0))


def _emit(source: Source, build: Builder, parts: list[str], added: str, causal: int) -> None:
    heads = source.attrs["num_heads"]
    attrs = {"q_num_heads": heads, "kv_num_heads": heads, "is_causal": int(bool(causal))}
    if source.attrs.get("scale"):
        attrs["scale"] = source.attrs["scale"]
    inputs = [*parts, added] if added else parts
    build.emit("Attention", inputs, source.outputs[:1], source.name, attrs)


def _refuse(source: Source, names: dict[int, str]) -> None:
    for index, name in names.items():
        if source.input(index):
            source.unsupported(f"input {index} ({name})")


CONVERTERS: dict[str, Converter] = {
    "Attention": _attention,
    "MultiHeadAttention": _multi_head,
    "QAttention": _quantised_attention,
}

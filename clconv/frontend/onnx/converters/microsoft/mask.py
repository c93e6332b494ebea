"""Masks of onnxruntime's attentions as what is added to the scores."""

from __future__ import annotations

from clconv.frontend.onnx.build import Builder, Source
from clconv.graph.ir import DType

_FILTER = (
    -10000.0
)  # added to the score of a key that is masked, unless mask_filter_value says otherwise


def add_mask(source: Source, build: Builder, index: int, keys: str, like: str, added: str) -> str:
    """The name of what is added to the scores: the input `added` if any, and the mask, input `index`, if any.

    keys: (batch, keys, ...). like: a value of the scores' type. A mask of integers is (batch, keys), or (batch, queries, keys), where 0 leaves a key
    out; or (batch): how many keys each has; or (2 * batch): first where the keys of each end, then where they begin.
    """
    mask = source.input(index)
    if not mask:
        return added
    rank = build.rank(mask)
    if rank == 1:
        seen = _between(source, build, mask, keys)
    elif rank in (2, 3):
        zero = build.helper(source, "CastLike", (build.integers(source, 0, "zero"), mask), "zero")
        seen = build.helper(source, "Greater", (mask, zero), "seen")
    else:
        source.unsupported(f"a mask of rank {'unknown' if rank is None else rank}; 1, 2 or 3")
    behind = (1,) if rank == 3 else (1, 2)  # heads, queries
    axes = build.integers(source, behind, "axes")
    wide = build.helper(source, "Unsqueeze", (seen, axes), "wide")
    given = source.attrs.get("mask_filter_value", _FILTER)
    none = build.scalar_like(source, 0.0, like, "none")
    low = build.scalar_like(source, given, like, "low")
    bias = build.helper(source, "Where", (wide, none, low), "mask")
    return build.helper(source, "Add", (bias, added), "added") if added else bias


def _between(source: Source, build: Builder, mask: str, keys: str) -> str:
    """(batch, keys): whether a key is before the end of its row, and not before its beginning."""
    shape, of_keys = build.shape(mask), build.shape(keys)
    count, batch = (shape or (None,))[0], (of_keys or (None,))[0]
    twice = isinstance(count, int) and isinstance(batch, int) and count == 2 * batch
    if not twice and (count is None or count != batch):
        source.unsupported(
            f"a mask of shape {shape} for keys of shape {of_keys}: it must be known to have one number a row, or two"
        )
    sizes = build.helper(source, "Shape", (keys,), "sizes", start=1, end=2)
    first, step = (build.integers(source, v, "count") for v in (0, 1))
    last = build.helper(source, "Squeeze", (sizes,), "last")
    places = build.helper(source, "Range", (first, last, step), "places")
    wide = build.helper(source, "Cast", (mask,), "numbers", to=DType.INT64.value)
    column = build.integers(source, (-1, 1), "column")
    rows = build.helper(source, "Reshape", (wide, column), "rows")
    if not twice:
        return build.helper(source, "Less", (places, rows), "seen")
    parts = []
    for begin, end in ((0, batch), (batch, 2 * batch)):
        bounds = [build.integers(source, [v], "bound") for v in (begin, end, 0)]
        parts.append(build.helper(source, "Slice", (rows, *bounds), "part"))
    before = build.helper(source, "Less", (places, parts[0]), "before")
    behind = build.helper(source, "GreaterOrEqual", (places, parts[1]), "behind")
    return build.helper(source, "And", (before, behind), "seen")

"""What would make an array fit that does not: the cure in an error about shapes."""

from __future__ import annotations

import math
from collections.abc import Iterator

from clconv.graph.ir import TensorSpec

_Shape = tuple[int, ...]


def hint(spec: TensorSpec, shape: _Shape) -> str:
    """What to do to an array `x` of this shape for an input of this spec, behind an error; "" if nothing is known."""
    for words, moved in _ways(spec, shape):
        if _fits(spec, moved):
            return f"; {words}"
    if len(shape) != spec.rank:
        return f"; it has {len(shape)} axes, the input {spec.rank}"
    wrong = [i for i, (d, size) in enumerate(zip(spec.shape, shape, strict=True)) if d != size]
    wrong = [i for i in wrong if isinstance(spec.shape[i], int)]
    if wrong == [0] and spec.rank > 1:
        return (
            f"; the batch is fixed at {spec.shape[0]}: run_batches() takes any number of examples"
        )
    told = (f"axis {i} is {shape[i]}, the input has {spec.shape[i]}" for i in wrong)
    return "".join(f"; {text}" for text in told)


def _ways(spec: TensorSpec, shape: _Shape) -> Iterator[tuple[str, _Shape]]:
    """How an array is often meant, with the shape it has then; the likeliest first."""
    rank = len(shape)
    takes = "NHWC" if _is_nhwc(spec) else "NCHW"
    if rank == spec.rank - 1:
        yield "the batch axis is missing: x[None]", (1, *shape)
    if rank == 4:
        n, a, b, c = shape
        yield f"this is NHWC, the input takes {takes}: x.transpose(0, 3, 1, 2)", (n, c, a, b)
        yield f"this is NCHW, the input takes {takes}: x.transpose(0, 2, 3, 1)", (n, b, c, a)
    if rank == 3:
        a, b, c = shape
        yield f"this is HWC, the input takes {takes}: x.transpose(2, 0, 1)[None]", (1, c, a, b)
        yield f"this is CHW, the input takes {takes}: x.transpose(1, 2, 0)[None]", (1, b, c, a)
        yield "the channel axis is missing: x[:, None]", (a, 1, b, c)
        yield "the channel axis is missing: x[..., None]", (a, b, c, 1)
    if rank == 2 and spec.rank == 4:
        yield "the axes of batch and channels are missing: x[None, None]", (1, 1, *shape)
        yield "the axes of batch and channels are missing: x[None, ..., None]", (1, *shape, 1)
    if rank == spec.rank + 1 and shape[0] == 1:
        yield "there is one axis too many: x[0]", shape[1:]
    if rank > spec.rank == 2:
        flat = (shape[0], math.prod(shape[1:]))
        yield "the input takes rows: x.reshape(len(x), -1)", flat


def _is_nhwc(spec: TensorSpec) -> bool:
    """Whether a picture's channels are its last axis: few of them, and known to be so."""
    if spec.rank != 4:
        return False
    return spec.shape[3] in (1, 3, 4) and spec.shape[1] not in (1, 3, 4)


def _fits(spec: TensorSpec, shape: _Shape) -> bool:
    if len(shape) != spec.rank:
        return False
    return all(not isinstance(d, int) or d == s for d, s in zip(spec.shape, shape, strict=True))

"""The two sides of a product of quantised tensors as floats, less their zero points: rows, and panels of columns.

What is constant is packed once, the rest goes into scratch; what a convolution's taps see becomes columns.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Hashable

import numpy as np

from clconv.graph.ir import DType
from clconv.lowering.model.arguments import Argument, Packed, Packing, Read, Scalar, Table, Write
from clconv.lowering.model.c_types import C_TYPES
from clconv.lowering.model.call import Kernel, KernelCall
from clconv.lowering.model.kernel import Problem
from clconv.lowering.ops.quantised.product.shape import has_input, inputs_of, point_kind
from clconv.lowering.shared.blocked import rows_per_item
from clconv.lowering.shared.product import Product
from clconv.lowering.shared.work_split import items


@dataclasses.dataclass
class Launches:
    """The launches of a node so far, and its scratch."""

    problem: Problem
    calls: list[KernelCall] = dataclasses.field(default_factory=list)
    scratch: dict[str, int] = dataclasses.field(default_factory=dict)

    def floats(self, what: str, count: int) -> str:
        """The name of scratch for so many floats."""
        name = f"{self.problem.node.outputs[0]}:{what}"
        self.scratch[name] = max(4 * count, 4)
        return name

    def add(
        self, kernel: Kernel, arguments: list[tuple[str, Argument]], size: tuple[int, ...]
    ) -> None:
        self.calls.append(self.problem.call(kernel, arguments, size))


def tile_of(problem: Problem, rows: int, columns: int) -> tuple[int, int]:
    """(rows, vectors of columns) of the register tile."""
    device = problem.device
    vectors = 2 if columns > device.vector_width else 1
    # A power of two where there are few, so that other sizes find kernels that are compiled.
    return min(
        (device.registers - 1 - vectors) // vectors, 8, 1 << (rows - 1).bit_length()
    ), vectors


def panel_width(problem: Problem, columns: int) -> int:
    return tile_of(problem, 1, columns)[1] * problem.device.vector_width


def _known_point(problem: Problem, index: int) -> np.ndarray | None:
    """A zero point as float64, 0 if there is none; None where only the run brings it."""
    if not has_input(problem, index):
        return np.zeros(())
    known = problem.constant(index)
    return None if known is None else known.reshape(-1).astype(np.float64)


def _shifted_packing(name: str, point: np.ndarray, axis: int, inner: Packing) -> Packing:
    """A constant less its zero point, one for all or one for each along an axis, then packed as `inner` says."""

    def pack(array: np.ndarray) -> np.ndarray:
        along = [-1 if i == axis % array.ndim else 1 for i in range(array.ndim)]
        shift = point.reshape(along) if point.size > 1 else point.reshape(())
        return inner.function((array - shift).astype(np.float32))

    settings: tuple[Hashable, ...] = (tuple(point.reshape(-1).tolist()), axis, inner.settings)
    return Packing(f"quantised.{name}", settings, pack, DType.FLOAT32)


def rows_of(launches: Launches, index: int, zero: int, inner: int, point_rows: int) -> Argument:
    """An input as rows of floats, less the zero point of each."""
    problem = launches.problem
    spec, point = problem.input(index), _known_point(problem, zero)
    if problem.is_constant(index) and point is not None:
        axis = 0 if "Conv" in problem.node.op else -2
        return Packed(
            problem.node.inputs[index],
            _shifted_packing("rows", point, axis, Packing("rows", (), np.ascontiguousarray)),
        )
    name = launches.floats("rows", spec.size)
    kernel = Kernel.of(
        "quantised/product/rows.cl.mako",
        "quantised_rows",
        type=C_TYPES[spec.dtype.value],
        point=point_kind(problem, zero),
    )
    total = spec.size // inner
    per_item = rows_per_item(problem, total, 1)
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(index)),
        *([("x_zero", problem.argument(zero))] if has_input(problem, zero) else []),
        ("y", Write(name)),
        ("total", Scalar(total)),
        ("inner", Scalar(inner)),
        ("point_rows", Scalar(point_rows)),
        ("per_item", Scalar(per_item)),
    ]
    launches.add(kernel, arguments, (items(total, per_item),))
    return Read(name)


def _panel_packing(width: int) -> Packing:
    """Matrices (..., inner, columns) as (batch, columns / width, inner, width), zeros behind the last column."""

    def pack(matrices: np.ndarray) -> np.ndarray:
        whole = matrices[:, None] if matrices.ndim == 1 else matrices
        inner, columns = whole.shape[-2:]
        flat = whole.reshape(math.prod(whole.shape[:-2]), inner, columns)
        padded = np.pad(flat, ((0, 0), (0, 0), (0, -columns % width)))
        return np.ascontiguousarray(padded.reshape(len(flat), inner, -1, width).swapaxes(1, 2))

    return Packing("panels", (width,), pack)


def matrix_panels(launches: Launches, product: Product) -> Argument:
    """The right-hand matrices as panels of floats, less the zero point of each column."""
    problem = launches.problem
    at, width = inputs_of(problem), panel_width(problem, product.columns)
    spec, point = problem.input(at.w), _known_point(problem, at.w_zero)
    if problem.is_constant(at.w) and point is not None:
        packing = _shifted_packing("panels", point, -1, _panel_packing(width))
        return Packed(problem.node.inputs[at.w], packing)
    chunks = items(product.columns, width)
    name = launches.floats("panels", product.b_count * chunks * product.inner * width)
    kernel = Kernel.of(
        "quantised/product/pack.cl.mako",
        "quantised_pack",
        type=C_TYPES[spec.dtype.value],
        point=point_kind(problem, at.w_zero),
        width=width,
    )
    arguments: list[tuple[str, Argument]] = [
        ("w", problem.argument(at.w)),
        *([("w_zero", problem.argument(at.w_zero))] if has_input(problem, at.w_zero) else []),
        ("panels", Write(name)),
        ("inner", Scalar(product.inner)),
        ("columns", Scalar(product.columns)),
    ]
    launches.add(kernel, arguments, (chunks, product.b_count))
    return Read(name)


def _padded(problem: Problem) -> tuple[int, ...]:
    """Sizes of an image with as much of its pads as the taps see."""
    attrs, kernel = problem.node.attrs, problem.input(inputs_of(problem).w).shape[2:]
    out = problem.y.shape[2:]
    return tuple(
        (o - 1) * s + (k - 1) * d + 1
        for o, s, k, d in zip(out, attrs.strides, kernel, attrs.dilations, strict=True)
    )


def padded_pixels(problem: Problem) -> int:
    return math.prod(problem.x.shape[:2]) * math.prod(_padded(problem))


def _padded_image(launches: Launches) -> Argument:
    """The images as floats with their pads, less the zero point."""
    problem = launches.problem
    at, padded = inputs_of(problem), _padded(problem)
    planes = math.prod(problem.x.shape[:2])
    name = launches.floats("image", planes * math.prod(padded))
    kernel = Kernel.of(
        "quantised/product/image.cl.mako",
        "quantised_image",
        type=C_TYPES[problem.x.dtype.value],
        point=point_kind(problem, at.x_zero),
        spatial=len(padded),
    )
    sizes = (
        ("size", problem.x.shape[2:]),
        ("padded", padded),
        ("pad", problem.node.attrs.pads[: len(padded)]),
    )
    arguments: list[tuple[str, Argument]] = [
        ("x", problem.argument(0)),
        *([("x_zero", problem.argument(at.x_zero))] if has_input(problem, at.x_zero) else []),
        ("image", Write(name)),
        *(
            (f"{what}{i}", Scalar(size))
            for what, several in sizes
            for i, size in enumerate(several)
        ),
    ]
    launches.add(kernel, arguments, (math.prod(padded[:-1]), planes))
    return Read(name)


def _places(counts: tuple[int, ...], steps: tuple[int, ...]) -> np.ndarray:
    """Where the elements of a tensor with these steps lie, in order, flat."""
    found = np.zeros(1, np.int64)
    for count, step in zip(counts, steps, strict=True):
        found = (found[:, None] + np.arange(count) * step).reshape(-1)
    return found


def image_panels(launches: Launches) -> Argument:
    """What the taps see of the images, as panels of pixels."""
    problem = launches.problem
    attrs, padded = problem.node.attrs, _padded(problem)
    w, out = problem.input(inputs_of(problem).w), problem.y.shape[2:]
    image = _padded_image(launches)
    steps = tuple(math.prod(padded[i + 1 :]) for i in range(len(padded)))
    plane, columns = math.prod(padded), math.prod(out)
    tap_steps = tuple(s * d for s, d in zip(steps, attrs.dilations, strict=True))
    taps = _places(w.shape[1:], (plane, *tap_steps))
    pixels = _places(out, tuple(s * t for s, t in zip(steps, attrs.strides, strict=True)))
    width = panel_width(problem, columns)
    batch, chunks = problem.x.shape[0] * attrs.group, items(columns, width)
    name = launches.floats("panels", batch * chunks * len(taps) * width)
    kernel = Kernel.of(
        "quantised/product/columns.cl.mako",
        "quantised_columns",
        block=problem.device.vector_width,
        vectors=width // problem.device.vector_width,
    )
    arguments: list[tuple[str, Argument]] = [
        ("image", image),
        ("tap", Table(taps.astype(np.int32))),
        ("pixel", Table(np.pad(pixels, (0, -columns % width), "edge").astype(np.int32))),
        ("panels", Write(name)),
        ("inner", Scalar(len(taps))),
        ("step", Scalar(w.shape[1] * plane)),
    ]
    launches.add(kernel, arguments, (chunks, batch))
    return Read(name)

"""Gemm and MatMul on GPUs: tiles in local memory, as implicit_gemm has them for convolutions."""

from __future__ import annotations

import math

import numpy as np

from clconv.lowering.choice.matrix import Matrix, matrix_for
from clconv.lowering.model.arguments import (
    Argument,
    Packed,
    Packing,
    Read,
    Scalar,
    Write,
    packed_float,
)
from clconv.lowering.model.call import Kernel, KernelCall
from clconv.lowering.model.kernel import Lowered, Problem, Variant
from clconv.lowering.ops.gemm.finish import WIDTH, Finish
from clconv.lowering.ops.gemm.shape import float_obstacle, size_obstacle
from clconv.lowering.shared.product import Product
from clconv.lowering.shared.tile_choice import (
    MOST_SPLITS,
    ProductSize,
    chosen_splits,
    chosen_tile,
    memory_seconds,
    product_seconds,
)
from clconv.lowering.shared.tiles import (
    PRODUCT_SPACE,
    Tile,
    local_memory_obstacle,
    matrix_obstacle,
    subgroup_of,
)
from clconv.records import record


def row_packing(transposed: bool, width: int) -> Packing:
    """Right-hand matrices (..., inner, columns), or the other way round, as (batch, inner, columns padded with
    zeros to a multiple of width): every row can be read in vectors."""

    def pack(matrices: np.ndarray) -> np.ndarray:
        whole = matrices[:, None] if matrices.ndim == 1 else matrices
        right = whole.swapaxes(-1, -2) if transposed else whole
        right = right.reshape(math.prod(right.shape[:-2]), *right.shape[-2:])
        padded = np.pad(right, ((0, 0), (0, 0), (0, -right.shape[2] % width)))
        return np.ascontiguousarray(padded, packed_float(right))

    return Packing("gemm.rows", (transposed, width), pack)


@record(frozen=True)
class Side:
    """How the kernel finds the matrices of one side.

    along_inner: whether a line runs along the inner index. step: elements of a line. lines: lines across the inner
    index, or elements of one. size: elements of a matrix.
    """

    argument: Argument
    along_inner: bool
    step: int
    lines: int
    size: int

    @property
    def width(self) -> int:
        """Elements of a load; none crosses the end of a line."""
        return WIDTH if self.step % WIDTH == 0 else 1


def left_side(problem: Problem, product: Product) -> Side:
    transposed = bool(problem.node.attrs.get("transA", 0))
    step = product.rows if transposed else product.inner
    return Side(
        problem.argument(0), not transposed, step, product.rows, product.rows * product.inner
    )


def right_side(problem: Problem, product: Product) -> Side:
    transposed = bool(problem.node.attrs.get("transB", 0))
    columns = product.columns
    if problem.is_constant(1) and (transposed or columns % WIDTH):
        packed = Packed(problem.node.inputs[1], row_packing(transposed, WIDTH))
        columns += -columns % WIDTH
        return Side(packed, False, columns, columns, columns * product.inner)
    step = product.inner if transposed else columns
    return Side(problem.argument(1), transposed, step, columns, columns * product.inner)


def _applies(problem: Problem) -> str | None:
    return (
        float_obstacle(problem) or local_memory_obstacle(problem.device) or size_obstacle(problem)
    )


def _product_size(product: Product) -> ProductSize:
    most = MOST_SPLITS if product.batch == 1 else 1
    return ProductSize(product.rows, product.columns, product.inner, product.batch, most)


def _lower(problem: Problem, kind: Matrix | None) -> Lowered:
    product = Product.of(problem)
    product_size = _product_size(product)
    tile = chosen_tile(problem, product_size, kind)
    splits = chosen_splits(problem, product_size, tile, kind)
    after = Finish.of(problem)
    target = problem.node.outputs[0]
    if splits == 1:
        return Lowered((_product_call(problem, product, tile, kind, 1, after, Write(target)),))
    parts = f"{target}/split sums"
    return Lowered(
        (
            _product_call(problem, product, tile, kind, splits, Finish(), Write(parts)),
            _sum_call(problem, product, splits, after, parts),
        ),
        scratch={parts: splits * 4 * problem.y.size},
    )


def _product_call(
    problem: Problem,
    product: Product,
    tile: Tile,
    kind: Matrix | None,
    splits: int,
    after: Finish,
    y: Write,
) -> KernelCall:
    a, b = left_side(problem, product), right_side(problem, product)
    kernel = Kernel.of(
        "gemm/local.cl.mako",
        "gemm_local",
        tile=tile,
        kind=kind,
        a_inner=a.along_inner,
        b_inner=b.along_inner,
        a_width=a.width,
        b_width=b.width,
        fours=product.columns % WIDTH == 0,
        batched=product.batch > 1,
        partial=splits > 1,
        subgroup=subgroup_of(problem.device, kind),
        **after.parameters(),
    )
    arguments: list[tuple[str, Argument]] = [
        ("a", a.argument),
        ("b", b.argument),
        *product.batch_arguments(),
        ("y", y),
        ("rows", Scalar(product.rows)),
        ("inner", Scalar(product.inner)),
        ("columns", Scalar(product.columns)),
        ("a_step", Scalar(a.step)),
        ("b_step", Scalar(b.step)),
        ("b_lines", Scalar(b.lines)),
        ("b_matrix_size", Scalar(b.size)),
        ("batch", Scalar(product.batch)),
        ("splits", Scalar(splits)),
        *after.arguments(),
    ]
    size = (
        -(-product.columns // tile.n) * tile.items,
        -(-product.rows // tile.m),
        product.batch * splits,
    )
    return problem.call(kernel, arguments, size, (tile.items, 1, 1))


def _sum_call(
    problem: Problem, product: Product, splits: int, after: Finish, parts: str
) -> KernelCall:
    total, local = problem.y.size, min(128, problem.device.largest_work_group)
    kernel = Kernel.of(
        "gemm/sum_splits.cl.mako",
        "gemm_sum_splits",
        **after.parameters(),
    )
    arguments: list[tuple[str, Argument]] = [
        ("parts", Read(parts)),
        ("y", Write(problem.node.outputs[0])),
        ("total", Scalar(total)),
        ("rows", Scalar(product.rows)),
        ("columns", Scalar(product.columns)),
        ("splits", Scalar(splits)),
        *after.arguments(),
    ]
    return problem.call(kernel, arguments, (-(-total // local) * local,), (local,))


def _estimate(problem: Problem, kind: Matrix | None) -> float:
    """Infinite on CPUs; else by the model of tile_choice, and what reading and writing the matrices takes, which overlaps in part."""
    if problem.device.is_cpu:
        return math.inf
    size, device = _product_size(Product.of(problem)), problem.device
    nbytes = problem.x.nbytes + problem.input(1).nbytes + problem.y.nbytes
    return math.hypot(product_seconds(device, size, kind), memory_seconds(device, nbytes))


def local_variants(op: str) -> tuple[Variant, ...]:
    return (
        Variant(
            op,
            "matrix",
            lambda problem: _applies(problem) or matrix_obstacle(problem),
            lambda problem: _lower(problem, matrix_for(problem)),
            estimate=lambda problem: _estimate(problem, matrix_for(problem)),
            space=PRODUCT_SPACE,
        ),
        Variant(
            op,
            "local",
            _applies,
            lambda problem: _lower(problem, None),
            estimate=lambda problem: _estimate(problem, None),
            space=PRODUCT_SPACE,
        ),
    )

"""Changes of layout by themselves: each size of elements and block, channels and pixels that fill no strip, nothing outside."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from clconv.device.info import DeviceInfo
from clconv.graph.ir import DType, TensorSpec
from clconv.graph.tensor import PLAIN, Layout
from clconv.lowering.copies.reorder import reorder_call
from clconv.lowering.model.arguments import Scalar
from clconv.runtime.opencl import open_device, set_arguments

GUARD = 64  # elements behind the result
IMAGES = 2
SIZES = [*itertools.product((3, 8, 16, 27, 38), (1, 5, 16, 37)), (2, 50), (64, 64)]


def to_blocks(x: np.ndarray, block: int) -> np.ndarray:
    """The reference: (images, blocks, pixels, lanes), with zeros in the lanes of no channel."""
    images, channels, pixels = x.shape
    blocks = -(-channels // block)
    full = np.zeros((images, blocks * block, pixels), x.dtype)
    full[:, :channels] = x
    return np.ascontiguousarray(full.reshape(images, blocks, block, pixels).transpose(0, 1, 3, 2))


def reordered(
    x: np.ndarray, before: TensorSpec, after: TensorSpec, device: DeviceInfo
) -> np.ndarray:
    """What the kernel makes of the memory of x, and what stands behind it then."""
    call, opened = reorder_call("x", "y", before, after), open_device(device)
    kernel = opened.compiler.prepare([call.kernel])[call.kernel].kernel(call.kernel)
    queue = opened.queue()
    y = np.full(after.nbytes // x.itemsize + GUARD, 77, x.dtype)
    source, target = (opened.copied(a, queue.raw).buffer for a in (x, y))
    sizes = [np.int32(a.value) for _, a in call.arguments if isinstance(a, Scalar)]
    set_arguments(kernel, [source, target, *sizes])
    queue.launch(kernel, call.global_size, call.local_size)
    queue.read(y, target, wait=True)
    return y


@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32", "int64"])
@pytest.mark.parametrize("block", [2, 4, 8, 16])
def test_layouts_change(block: int, dtype: str, device: DeviceInfo) -> None:
    if not device.is_cpu:
        pytest.skip("only CPUs compute in blocks of channels")
    rng = np.random.default_rng(7)
    for channels, pixels in SIZES:
        x = rng.integers(1, 200, (IMAGES, channels, pixels)).astype(dtype)
        plain = TensorSpec(x.shape, DType.of(x), PLAIN)
        blocked = TensorSpec(x.shape, DType.of(x), Layout(block))
        expected = to_blocks(x, block)
        for before, after, given, wanted in (
            (plain, blocked, x, expected),
            (blocked, plain, expected, x),
        ):
            found = reordered(given, before, after, device)
            np.testing.assert_array_equal(found[:-GUARD], wanted.ravel(), f"{before} to {after}")
            assert (found[-GUARD:] == 77).all()

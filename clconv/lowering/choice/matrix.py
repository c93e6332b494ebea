"""Matrix instructions: which one a device may take for a product."""

from __future__ import annotations

from clconv.device.info import DeviceInfo
from clconv.graph.ir import DType
from clconv.lowering.model.kernel import Problem
from clconv.records import record


@record(frozen=True)
class Matrix:
    """A matrix instruction: rows x columns results, each from k products, which `lanes` work-items compute together:
    a warp NVIDIA's mma.sync, a subgroup Intel's; with one lane and k 2 an item's own.

    type: of the factors, "tf32" or "f16"; sums are float32. k: 8 or 16; 2 of AMD's v_dot2_f32_f16; 1 of arithmetic of halves,
    whose sums of a tile's lines are halves, too. emulated: plain C in its place, for tests.
    """

    type: str
    k: int
    emulated: bool = False
    lanes: int = 32

    @property
    def is_alone(self) -> bool:
        """Whether an item adds products to results of its own, as it does in plain C."""
        return self.lanes == 1

    @property
    def is_intel(self) -> bool:
        return 1 < self.lanes < 32

    @property
    def is_warp(self) -> bool:
        """Whether it is NVIDIA's."""
        return not self.is_alone and not self.is_intel

    @property
    def pair(self) -> int:
        """Factors, neighbours along k, in a 32-bit word of the tiles in local memory."""
        return 2 if self.type == "f16" and self.k > 1 else 1

    @property
    def rows(self) -> int:
        return 8 if self.is_intel else 16

    @property
    def columns(self) -> int:
        return self.lanes if self.is_intel else 8


def matrix_of(device: DeviceInfo, precision: str, halves: bool) -> Matrix | None:
    """The matrix instruction that the device has for factors that are stored as halves, or for float32 ones, which
    it may round as far as the precision that was asked for allows.

    Products of halves are exact in float32, so these need not be asked for, only verified.
    """
    if precision == "strict":
        return None
    emulated = "emulated" in device.matrix
    if halves and (device.matrix_verified or precision == "float16"):
        if "f16" in device.matrix:
            return Matrix("f16", 16 if "f16 k16" in device.matrix else 8, emulated)
        for lanes in (8, 16):
            if f"f16 {lanes} lanes" in device.matrix:
                return Matrix("f16", 16, emulated, lanes)
        if "f16 pairs" in device.matrix:
            return Matrix("f16", 2, emulated, 1)
        if "f16 short sums" in device.matrix and precision == "float16":
            return Matrix("f16", 1, emulated, 1)
    if precision == "tf32" and "tf32" in device.matrix:
        return Matrix("tf32", 8, emulated)
    return None


def matrix_for(problem: Problem) -> Matrix | None:
    """The matrix instruction for the product of the first two inputs."""
    factors = (problem.x.dtype, problem.input(1).dtype)
    return matrix_of(
        problem.device,
        problem.options.precision,
        all(dtype is DType.FLOAT16 for dtype in factors),
    )

"""What kernels of convolutions on channel blocks take more where they leave Moments of their result."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable

from clconv.lowering.model.arguments import Argument, Scalar, Write
from clconv.lowering.model.kernel import Lowered, Problem
from clconv.lowering.model.moments import FIELDS, Moments
from clconv.lowering.shared.work_split import items
from clconv.records import record


@record(frozen=True)
class Left:
    """The Moments that a convolution leaves, None if nobody wants them, of so many padded channels."""

    moments: Moments | None
    channels: int

    @classmethod
    def of(cls, problem: Problem, parts: int) -> Left:
        """parts: in how many each channel is written, by a work-item each."""
        block = problem.device.vector_width
        channels = items(problem.y.shape[1], block) * block
        moments = Moments(f"{problem.node.name}/moments", parts) if problem.leaves else None
        return cls(moments, channels)

    @property
    def parameters(self) -> dict[str, Hashable]:
        """None without them: kernels for inference are what they were."""
        return {"leaves": True} if self.moments else {}

    @property
    def arguments(self) -> list[tuple[str, Argument]]:
        if self.moments is None:
            return []
        return [("parts", Write(self.moments.name)), ("part_channels", Scalar(self.channels))]

    def added(self, lowered: Lowered) -> Lowered:
        if self.moments is None:
            return lowered
        nbytes = 4 * FIELDS * self.moments.parts * self.channels
        scratch = {**lowered.scratch, self.moments.name: nbytes}
        return dataclasses.replace(lowered, scratch=scratch, moments=self.moments)

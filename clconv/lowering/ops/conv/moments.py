"""What kernels of convolutions on channel blocks take more where they leave Moments of their result."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable

from clconv.lowering.model.arguments import Argument, Read, Scalar, Write
from clconv.lowering.model.kernel import Lowered, Problem
from clconv.lowering.model.moments import Moments, Wanted
from clconv.lowering.shared.work_split import items


@dataclasses.dataclass(frozen=True)
class Left:
    """What a convolution leaves in so many parts, each by the work-item that writes it; nothing if nobody wants it."""

    wanted: Wanted | None
    moments: Moments
    filters: int
    channels: int  # padded

    @classmethod
    def of(cls, problem: Problem, parts: int) -> Left:
        filters, block = problem.y.shape[1], problem.device.vector_width
        moments = Moments(f"{problem.node.name}/moments", parts)
        return cls(problem.leaves, moments, filters, items(filters, block) * block)

    @property
    def parameters(self) -> dict[str, Hashable]:
        """Without any, kernels for inference are what they were."""
        if self.wanted is None:
            return {}
        return {"leaves": "sums" if self.wanted.x else "moments"}

    @property
    def arguments(self) -> list[tuple[str, Argument]]:
        if self.wanted is None:
            return []
        found: list[tuple[str, Argument]] = [("parts", Write(self.moments.name))]
        if self.wanted.x:
            found += [
                ("other", Read(self.wanted.x)),
                ("center", Read(self.wanted.center)),
                ("channels", Scalar(self.filters)),
            ]
        return [*found, ("part_channels", Scalar(self.channels))]

    def added(self, lowered: Lowered) -> Lowered:
        if self.wanted is None:
            return lowered
        nbytes = 4 * self.wanted.fields * self.moments.parts * self.channels
        scratch = {**lowered.scratch, self.moments.name: nbytes}
        return dataclasses.replace(lowered, scratch=scratch, moments=self.moments)

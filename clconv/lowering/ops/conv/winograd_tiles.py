"""The tiles of Winograd's convolution: which windows they fit, and how many cover an image."""

from __future__ import annotations

from clconv.lowering.model.arguments import Argument, Scalar
from clconv.lowering.model.kernel import Problem
from clconv.lowering.ops.conv.shape import ConvShape
from clconv.lowering.ops.conv.transforms import Transform
from clconv.records import record


def window_obstacle(problem: Problem, transform: Transform, block: int = 0) -> str | None:
    """Why a convolution is not of the kind that the transform is for. block: of channels, of which groups fill whole ones; 0
    where there may be one group only."""
    at, w, r = problem.node.attrs, problem.input(1), transform.window
    s = transform.stride
    if w.shape[2:] != (r, r) or at.strides != (s, s) or at.dilations != (1, 1):
        return (
            f"needs a {r}x{r} window, stride {s}, dilation 1; has {w.shape[2:]}, {at.strides}, "
            f"{at.dilations}"
        )
    if at.group == 1:
        return None
    if not block:
        return f"needs one group, has {at.group}"
    channels, filters = w.shape[1], w.shape[0] // at.group
    if channels % block or filters % block:
        return (
            f"needs groups that fill channel blocks of {block}; has {channels} channels and {filters} filters in each "
            f"of {at.group}"
        )
    return None


@record(frozen=True)
class TileGrid:
    """The tiles of a transform that cover the results of a convolution: rows and columns of each of `batch` images."""

    batch: int
    rows: int
    columns: int

    @classmethod
    def of(cls, shape: ConvShape, transform: Transform) -> TileGrid:
        rows, columns = (-(-size // transform.m) for size in shape.out)
        return cls(shape.batch, rows, columns)

    @property
    def count(self) -> int:
        """Tiles of all images."""
        return self.batch * self.rows * self.columns

    @property
    def arguments(self) -> list[tuple[str, Argument]]:
        """Rows and columns of an image."""
        return [("tile_rows", Scalar(self.rows)), ("tile_columns", Scalar(self.columns))]


def mixed_tiles(problem: Problem) -> str:
    """What Winograd's variants mix; see Variant.mixes."""
    return "its transforms mix the pixels of a tile"

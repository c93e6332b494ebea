"""Whether the rows of a batch may be anybody's: each row of the outputs follows from one row of the inputs alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from clconv.graph.batch_split import split_batch
from clconv.session.session import Session


def rows_are_apart(session: Session, shapes: Mapping[str, Sequence[int]]) -> bool:
    """Whether it is certain that no row (axis 0) of the inputs affects another's row of any output.

    shapes: of all inputs, with as many rows each, two at least. What is planned for it is kept for runs of these shapes.
    A statistic over the batch, a constant for each row, state, or sizes that depend on data make it uncertain. Raises
    InputError for shapes that the inputs do not take, and whatever planning raises.
    """
    plan = session.prepare(shapes).plan
    if plan.cut is not None:
        return False
    split = plan.batch_split or split_batch(plan.graph, 1)
    return split is not None and all(name in split.inputs for name in session.inputs)

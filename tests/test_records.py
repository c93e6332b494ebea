"""Records behave like frozen dataclasses."""

from __future__ import annotations

import copy
import dataclasses
import pickle

import pytest

from clconv.records import record


@record(frozen=True)
class Point:
    """A point."""

    x: int
    y: int = 2
    names: list[str] = dataclasses.field(default_factory=list, compare=False, repr=False)


@record(frozen=True)
class Marked(Point):
    """A point with a mark."""

    mark: str = "m"


@dataclasses.dataclass(frozen=True)
class Usual(Marked):
    """A dataclass of Python's on top."""

    more: int = 0


@record(frozen=True, eq=False)
class Alone:
    """One that is equal to itself only, and has a way of its own to be shown."""

    x: int

    def __post_init__(self) -> None:
        assert self.x >= 0

    def __repr__(self) -> str:
        return "alone"


def test_records_are_made_and_compared_like_dataclasses() -> None:
    assert Point(1) == Point(1, 2, ["other"]) == Point(x=1, y=2) != Point(2)
    assert len({Point(1), Point(1, 2), Point(2)}) == 2
    assert Point(1).names is not Point(1).names
    assert Marked(1, mark="n") != Point(1) and Marked(1, 2, [], "n").mark == "n"
    assert Usual(1, more=3) == Usual(1, 2, [], "m", 3)
    assert repr(Marked(1)) == "Marked(x=1, y=2, mark='m')"
    alone = Alone(1)
    assert alone == alone and alone != Alone(1) and repr(alone) == "alone"


def test_what_looks_at_dataclasses_looks_at_records() -> None:
    one = Marked(1, 3, ["a"])
    assert dataclasses.replace(one, y=4) == Marked(1, 4)
    assert dataclasses.asdict(one) == {"x": 1, "y": 3, "names": ["a"], "mark": "m"}
    assert pickle.loads(pickle.dumps(one)) == one == copy.deepcopy(one)
    match one:
        case Point(x, y):
            assert (x, y) == (1, 3)


@pytest.mark.parametrize(
    ("args", "named"), [((), {}), ((1, 2, [], 4), {}), ((1,), {"x": 1}), ((1,), {"z": 1})]
)
def test_wrong_values_are_refused(args: tuple[int, ...], named: dict[str, int]) -> None:
    with pytest.raises(TypeError, match="Point"):
        Point(*args, **named)  # type: ignore[arg-type]


def test_nothing_is_changed() -> None:
    point = Point(1)
    with pytest.raises(dataclasses.FrozenInstanceError, match="'x'"):
        point.x = 2  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError, match="'x'"):
        del point.x

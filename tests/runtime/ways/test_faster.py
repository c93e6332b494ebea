"""Which way to run a plan is found the fastest."""

from __future__ import annotations

import functools

import pytest

from clconv.runtime.opencl import NoFunction
from clconv.runtime.ways import faster
from clconv.runtime.ways.faster import Faster, Kind, Way

LETTERS = {Kind.LAUNCH: "l", Kind.TOGETHER: "t", Kind.ALONE: "a"}


class Ways:
    """Ways that take as long as they are said to, and who was asked. None: there is no such way."""

    def __init__(self, launch: float, alone: float | None, together: float | None = None) -> None:
        self.now, self.asked = 0.0, ""
        self.seconds = {Kind.LAUNCH: launch, Kind.TOGETHER: together, Kind.ALONE: alone}
        makes = {kind: functools.partial(self.make, kind) for kind in (Kind.TOGETHER, Kind.ALONE)}
        self.faster = Faster(makes, lambda: self.now)

    def take(self, kind: Kind) -> None:
        self.now += self.seconds[kind] or 0.0
        self.asked += LETTERS[kind]

    def make(self, kind: Kind) -> Way:
        if self.seconds[kind] is None:
            raise NoFunction("none")
        return One(self, kind)

    def runs(self, count: int) -> str:
        self.asked = ""
        for _ in range(count):
            self.faster.run(lambda: self.take(Kind.LAUNCH))
        return self.asked


class One:
    def __init__(self, ways: Ways, kind: Kind) -> None:
        self.ways, self.kind = ways, kind

    def run(self) -> None:
        self.ways.take(self.kind)


@pytest.mark.parametrize(
    ("launch", "alone", "asked"),
    [
        (50e-6, 5e-6, "llaalaaaaaa"),
        (50e-6, 90e-6, "llaalalllll"),
        (50e-6, 900e-6, "llalllll"),
        (50e-6, None, "llllllll"),
        (2e-3, 1e-6, "l" * 30),
    ],
    ids=["faster", "slower", "much slower", "none", "long"],
)
def test_the_fastest_way_is_taken(launch: float, alone: float | None, asked: str) -> None:
    assert Ways(launch, alone).runs(len(asked)) == asked


@pytest.mark.parametrize(
    ("together", "alone", "asked"),
    [
        (30e-6, 5e-6, "ltaataaaaaa"),
        (30e-6, 40e-6, "ltaatattttt"),
        (30e-6, None, "ltttttt"),
        (2e-3, 1e-6, "l" + "t" * 29),
    ],
    ids=["alone", "together", "not alone", "long"],
)
def test_the_thread_that_asks_is_a_worker_where_it_can(
    together: float, alone: float | None, asked: str
) -> None:
    """But for the first run, whose answer should not wait."""
    launch = 2e-3 if together > 1e-3 else 50e-6
    ways = Ways(launch, alone, together)
    assert ways.runs(len(asked)) == asked
    ways.faster.settle(Kind.LAUNCH)
    assert ways.runs(3) == "lll"


def test_a_way_that_there_is_not_cannot_be_settled() -> None:
    ways = Ways(50e-6, None)
    with pytest.raises(NoFunction, match="in one thread"):
        ways.faster.settle(Kind.ALONE)


def test_launches_that_waited_for_a_core_say_nothing() -> None:
    ways = Ways(20e-3, 3e-6)
    assert ways.runs(6) == "llllll"
    ways.seconds[Kind.LAUNCH] = 30e-6
    assert ways.runs(9) == "laaaaaaaa"


def test_all_ways_are_tried_again() -> None:
    """What was slower at first may be faster once others leave the cores."""
    ways = Ways(9e-6, 20e-6)
    assert ways.runs(6 + faster._AGAIN)[6:].count("l") > faster._AGAIN - 5
    ways.seconds[Kind.ALONE] = 2e-6
    assert ways.runs(2 * faster._AGAIN).count("a") > faster._AGAIN // 2

"""What `clconv doctor` says of the time left."""

from __future__ import annotations

from clconv.diagnosis.pace import Pace, usual_first


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_what_is_left_follows_from_what_is_done() -> None:
    clock = Clock()
    pace = Pace(100, clock=clock)
    clock.now = 4.0
    pace.did(10)
    assert pace.left == ""  # too early
    clock.now = 10.0
    assert pace.left == "about 90 s left" or pace.left == "about 2 min left"
    pace.did(40)
    assert pace.left == "about 10 s left"
    clock.now = 1000.0
    assert pace.left == "about 17 min left" and not pace.is_over


def test_a_limit() -> None:
    clock = Clock()
    pace = Pace(1000, 60.0, clock)
    clock.now = 20.0
    pace.did(1)
    assert pace.left == "about 40 s left" and not pace.is_over
    clock.now = 60.0
    assert pace.is_over


def test_the_order() -> None:
    assert usual_first(["Attention", "Relu", "Conv", "Tanh"], ["Tanh"]) == [
        "Tanh",
        "Conv",
        "Relu",
        "Attention",
    ]

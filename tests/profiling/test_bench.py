"""Engines take turns, warm up first, and are compared round by round."""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np
import pytest

from clconv.device.info import DeviceInfo
from clconv.errors import ConfigError
from clconv.profiling import bench as module
from clconv.profiling import peers
from clconv.profiling.bench import Measured, bench
from clconv.session.session import Session
from tests.compat.models import classifier

BYTES = classifier().SerializeToString()


def measured(*rounds: tuple[float, ...], batch: int = 1) -> Measured:
    return Measured("engine", {"x": (batch, 3)}, batch, rounds)


def test_figures() -> None:
    one = measured((0.4, 0.1), (0.2, 0.3), batch=4)
    assert one.times == [0.1, 0.2, 0.3, 0.4] and one.median == pytest.approx(0.25)
    assert [one.percentile(p) for p in (25, 50, 75, 90, 99, 100)] == [0.1, 0.2, 0.3, 0.4, 0.4, 0.4]
    assert one.throughput == pytest.approx(16)


def test_the_ratio_is_the_median_over_rounds() -> None:
    """The third round was disturbed, for both."""
    ours = measured((1.0, 1.0), (1.2, 1.2), (9.0, 9.0))
    theirs = measured((2.0, 2.0), (2.4, 2.4), (18.0, 18.0))
    assert ours.ratio(theirs) == pytest.approx(0.5)


def test_engines_take_turns(device: DeviceInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []
    usual = Session.run

    def ours(self: Session, *arguments: Any) -> Any:
        ran.append("clconv")
        return usual(self, *arguments)

    def theirs(feeds: Any) -> dict[str, np.ndarray]:
        ran.append("other")
        time.sleep(1e-3)
        return {"scores": np.zeros((2, 10), np.float32)}

    monkeypatch.setattr(Session, "run", ours)
    monkeypatch.setattr(module, "open_peer", lambda name, model, on_cpu: (theirs, "other 1.0"))
    told: list[tuple[int, int]] = []
    (engines,) = bench(
        BYTES, [{"image": (2, 3, 8, 8)}], against=["other"], device=device, rounds=3, seconds=0.004,
        on_round=lambda done, total: told.append((done, total)),
    )  # fmt: skip
    assert told == [(1, 3), (2, 3), (3, 3)]
    mine, other = engines
    assert other.engine == "other 1.0" and other.median >= 1e-3 and other.batch == 2
    assert len(mine.rounds) == len(other.rounds) == 3
    assert mine.difference == 0 < other.difference
    turns = [name for i, name in enumerate(ran) if i == 0 or ran[i - 1] != name]
    warm_up, rounds, last = 2, 6, 2  # and the outputs are compared at the end
    assert turns == ["clconv", "other"] * ((warm_up + rounds + last) // 2)


@pytest.mark.parametrize("wrong", [{"rounds": 0}, {"seconds": 0.0}, {"seconds": float("nan")}])
def test_numbers_that_mean_nothing(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="above zero"):
        bench(BYTES, [{}], **wrong)


def test_a_stand_in_is_not_compared_with_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    import clconv.compat.onnxruntime as stand_in

    monkeypatch.setitem(sys.modules, "onnxruntime", stand_in)
    with pytest.raises(ConfigError, match="stand-in"):
        peers.open_peer("onnxruntime", BYTES, True)


def test_what_is_not_installed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="pip install onnxruntime"):
        peers.check_peers(["onnxruntime"])


def test_a_model_that_the_other_refuses(device: DeviceInfo) -> None:
    pytest.importorskip("onnxruntime")
    with pytest.raises(ConfigError, match="onnxruntime cannot load"):
        peers.open_peer("onnxruntime", b"nonsense", True)


def test_a_compiled_network_is_not_given_to_the_other() -> None:
    pytest.importorskip("onnxruntime")
    with pytest.raises(ConfigError, match=r"onnxruntime reads ONNX files: .* net.clconv was"):
        peers.open_peer("onnxruntime", "net.clconv", on_cpu=True)

"""Long programs are compiled at the same time, in processes of their own."""

from __future__ import annotations

import itertools
import secrets

import numpy as np
import pytest

from clconv.device.info import DeviceInfo
from clconv.graph.ir import Graph, TensorSpec
from clconv.graph.ops import make_node
from clconv.graph.reference import run_reference
from clconv.planning import persistent
from clconv.planning.sharing import shared_out
from clconv.runtime.opencl import beside
from clconv.session.session import Session
from tests.runtime.support import compiled_beside


def _never_compiled() -> Graph:
    """Softmax again and again, between what has numbers that no other program has."""
    slopes = [float(secrets.randbelow(1 << 20)) / (1 << 20) for _ in range(2)]
    names = [*"xabcdy"]
    nodes = []
    for i, (source, result) in enumerate(itertools.pairwise(names)):
        if i % 2:
            nodes.append(make_node("LeakyRelu", [source], [result], result, alpha=slopes[i // 2]))
        else:
            nodes.append(make_node("Softmax", [source], [result], result, axis=1))
    specs = {name: TensorSpec((2, 8)) for name in names}
    return Graph("long", tuple(nodes), ("x",), ("y",), specs, {})


def test_the_shorter_of_two_long_programs_is_compiled_by_another_process(
    device: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not persistent.is_wanted(device):
        pytest.skip(f"{device} joins no launches")
    monkeypatch.setattr(beside, "LINES", 1)
    monkeypatch.setattr(persistent, "MOST_KERNELS", 2)
    ended = compiled_beside(monkeypatch)
    graph = _never_compiled()
    x = np.linspace(-3, 3, 16, dtype=np.float32).reshape(2, 8)
    found = Session(graph, device).run({"x": x})["y"]
    np.testing.assert_allclose(found, run_reference(graph, {"x": x})["y"], rtol=1e-5)
    assert ended == [True]


def test_programs_are_shared_out_by_their_lines() -> None:
    lines = [4, 9, 3, 7, 1]
    shared = shared_out(lines, [0, 0])
    assert [sum(lines[place] for place in places) for places in shared] == [12, 12]
    assert shared[0][0] == 1 and len({place for places in shared for place in places}) == 5
    assert shared_out(lines[:1], [0] * 4) == [[0], [], [], []]
    assert shared_out([], [0] * 4) == [[]] * 4
    assert shared_out([5], [6, 0]) == [[], [0]]

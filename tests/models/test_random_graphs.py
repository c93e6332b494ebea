"""Random networks against onnxruntime: no difference over 2e-4 of an output's largest value.

RANDOM_GRAPHS says how many are run (20 unless told, and half as many image by image);
`python -m tests.models.random_graphs 0 500` runs more and shrinks what differs.
"""

from __future__ import annotations

import os

import pytest

from tests.models.random_graphs import random_graph
from tests.models.random_search import TOLERANCE, worst

COUNT = int(os.environ.get("RANDOM_GRAPHS", "10"))
TOGETHER = 5


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, COUNT, TOGETHER))
def test_random_graphs_agree_with_onnxruntime(first: int) -> None:
    for seed in range(first, min(first + TOGETHER, COUNT)):
        error, output = worst(random_graph(seed))
        assert error <= TOLERANCE, f"graph {seed}: output {output} differs by {error:.3g}"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:CLCONV_IMAGES")  # graphs whose images meet
@pytest.mark.parametrize("first", range(0, COUNT // 2, TOGETHER))
def test_random_graphs_agree_image_by_image(first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLCONV_IMAGES", "1")
    for seed in range(1000 + first, 1000 + min(first + TOGETHER, COUNT // 2)):
        error, output = worst(random_graph(seed))
        assert error <= TOLERANCE, f"graph {seed}: output {output} differs by {error:.3g}"


def test_the_same_seed_makes_the_same_graph() -> None:
    one, other = random_graph(3), random_graph(3)
    assert one.model.SerializeToString() == other.model.SerializeToString()
    assert 10 <= len(one.model.graph.node) <= 40

"""Memory over many pictures."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

from tests.cli.running.conftest import links
from tests.frontend.support import model, node, value

MEMORY = """
import resource, sys
from clconv.cli.app import app
try:
    app(sys.argv[1:])
finally:
    print("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak(*arguments: object) -> int:
    """Kilobytes that a run needed."""
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, *map(str, arguments)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout.split("peak ")[1]) // (1024 if sys.platform == "darwin" else 1)


def large_input() -> onnx.ModelProto:
    """Batches of 16 pictures of 64 x 64, 786 kB each."""
    return model(
        [node("GlobalAveragePool", ["image"], ["means"], "pool")],
        [value("image", "N", 3, 64, 64)],
        [value("means", "N", 3, 1, 1)],
        opset=17,
    )


def flat(tmp_path: Path, few: int, many: int) -> None:
    onnx.save(large_input(), str(tmp_path / "m.onnx"))
    found = []
    for count in (few, many):
        folder = links(tmp_path / f"links{count}", count)
        found.append(peak("run", tmp_path / "m.onnx", folder, "-o", tmp_path / f"{count}.csv"))
        with (tmp_path / f"{count}.csv").open() as file:
            assert sum(1 for _ in file) == count + 1
    # Names of pictures take about 200 bytes each. All pixels would take 49 kB for each.
    assert found[1] < found[0] + 20_000 + (many - few) // 2, found


@pytest.mark.slow
def test_memory_is_flat(tmp_path: Path, how_many: Callable[[int, int], int]) -> None:
    flat(tmp_path, 500, how_many(3000, 100_000))

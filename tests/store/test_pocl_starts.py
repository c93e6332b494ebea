"""Whole processes on a cache that is damaged, deleted or not there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="PoCL is not here")

_RUN = """
import clconv, numpy as np
from clconv.layers import *
session = clconv.load(Sequential(Conv2d(8, 3), Relu()).build((3, 16, 16)), "portable:")
session.run({list(session.inputs)[0]: np.ones((1, 3, 16, 16), np.float32)})
print("right")
"""


def run(folder: Path, code: str = _RUN, **more: str) -> subprocess.CompletedProcess[str]:
    surroundings = {k: v for k, v in os.environ.items() if not k.startswith("CLCONV")}
    surroundings |= {"XDG_CACHE_HOME": str(folder), "POCL_CACHE_DIR": "", "CLCONV_CACHE_DIR": ""}
    return subprocess.run(
        [sys.executable, "-c", code], env=surroundings | more, capture_output=True, text=True, check=False
    )  # fmt: skip


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that a process filled."""
    from clconv.runtime.device import devices

    if not any("Portable" in d.platform for d in devices()):
        pytest.skip("PoCL is not here")
    folder = tmp_path_factory.mktemp("caches") / "used"
    folder.mkdir(mode=0o700)
    done = run(folder)
    assert done.stdout == "right\n", done.stderr
    return folder


@pytest.mark.parametrize(
    ("kind", "keep"),
    [
        pytest.param("*.so", 0, marks=pytest.mark.slow),
        pytest.param("*.so", 0.5, marks=pytest.mark.slow),
        pytest.param("*.so", 0.75, marks=pytest.mark.slow),
        pytest.param("*.bc", 0, marks=pytest.mark.slow),
        pytest.param("*.bc", 0.5, marks=pytest.mark.slow),
        pytest.param("*.bc", 0.99, marks=pytest.mark.slow),
        ("*", 0.3),  # has all of them
    ],
)
def test_the_first_start_with_cut_files_is_right(
    used: Path, tmp_path: Path, kind: str, keep: float
) -> None:
    shutil.copytree(used, tmp_path / "cut")
    found = list((tmp_path / "cut").glob(f"pocl/**/{kind}"))
    assert found
    for path in filter(Path.is_file, found):
        os.truncate(path, int(path.stat().st_size * keep))
    done = run(tmp_path / "cut")
    assert done.stdout == "right\n", done.stderr
    assert done.stderr.count("ClconvWarning") == 1
    again = run(tmp_path / "cut")
    assert again.stdout == "right\n" and not again.stderr


def test_a_home_that_is_not_there_runs_and_says_why(used: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    (tmp_path / "t").mkdir()
    done = run(tmp_path / "file" / "x", HOME=str(tmp_path / "file"), TMPDIR=str(tmp_path / "t"))
    assert done.stdout == "right\n" and "POCL_CACHE_DIR" in done.stderr


_DELETED = _RUN + """
import os, shutil
shutil.rmtree(os.environ["XDG_CACHE_HOME"])
for filters, joined in ((8, "0"), (9, "1"), (8, "1")):
    os.environ["CLCONV_ONE_LAUNCH"] = joined
    session = clconv.load(Sequential(Conv2d(filters, 3), Tanh()).build((3, 16, 16)), "portable:")
    session.run({list(session.inputs)[0]: np.ones((1, 3, 16, 16), np.float32)})
print("right again")
"""  # fmt: skip


def test_a_cache_deleted_while_running(used: Path, tmp_path: Path) -> None:
    shutil.copytree(used, tmp_path / "deleted")
    done = run(tmp_path / "deleted", _DELETED)
    assert done.stdout == "right\nright again\n", done.stderr

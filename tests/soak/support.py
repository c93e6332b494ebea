"""Processes with caches of their own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from clconv.device.info import DeviceInfo
from tests.patience import HANG

ROOT = Path(__file__).parents[2]
# A warning takes two lines: what it says, and the line of code.
_LEFT = re.compile(r"ClconvWarning: .*(a process died|were damaged)|^  \S")


def started(folder: Path, work: str, device: DeviceInfo, number: int) -> subprocess.Popen[str]:
    """A process of tests.soak.work whose caches lie below a folder."""
    caches = {
        name: str(folder / name)
        for name in ("CLCONV_CACHE_DIR", "POCL_CACHE_DIR", "XDG_CACHE_HOME")
    }
    return subprocess.Popen(
        [sys.executable, "-X", "faulthandler", "-m", "tests.soak.work", work, str(device.index), str(number)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, **caches},
    )  # fmt: skip


def printed(process: subprocess.Popen[str], after_kills: bool = False) -> str:
    """What a process prints that must end well, and must not complain. after_kills: but of what killed processes left,
    which it makes anew."""
    out, complaints = process.communicate(timeout=HANG)
    assert process.returncode == 0, complaints
    lines = [
        line for line in complaints.splitlines() if not line.rstrip().endswith("generated.")
    ]  # a compiler's count of warnings
    if after_kills:
        lines = [line for line in lines if not _LEFT.search(line)]
    assert not lines, complaints
    return out.strip()

"""Where the processes of benchmarks/gpu keep what they compile: folders of this run's own."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

OURS, DRIVERS = "CLCONV_CACHE_DIR", "CUDA_CACHE_PATH"  # clconv's, and that of NVIDIA's driver
_KNOWN = ("tuned.json", "quarantine.json")  # of the device: what decides which kernels there are


def _new() -> Path:
    """A folder that holds nothing but what is known of the device."""
    from clconv import config

    before, own = config.CACHE_DIR.get(), Path(tempfile.mkdtemp(prefix="clconv-gpu-"))
    for name in _KNOWN:
        if (before / name).exists():
            shutil.copy(before / name, own / name)
    return own


def private_cache() -> None:
    """For all that begins from now on."""
    os.environ[OURS] = str(_new())


@contextlib.contextmanager
def empty_caches() -> Iterator[None]:
    """For the processes that begin within: nothing is compiled yet."""
    before = {name: os.environ.get(name) for name in (OURS, DRIVERS)}
    own = _new()
    os.environ.update({OURS: str(own), DRIVERS: str(own / "driver")})
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})

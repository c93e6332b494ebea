"""Which onnxruntime there is: Python 3.10 has no newer one than 1.23, which cannot do all that is compared with it."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

import pytest


def _installed() -> tuple[int, ...]:
    try:
        return tuple(map(int, version("onnxruntime").split(".")[:2]))
    except PackageNotFoundError:
        return ()


def newer_onnxruntime(why: str) -> pytest.MarkDecorator:
    """Skips a test with an onnxruntime of before 1.24. why: what that one does."""
    found = _installed()
    return pytest.mark.skipif(bool(found) and found < (1, 24), reason=f"onnxruntime 1.23 {why}")

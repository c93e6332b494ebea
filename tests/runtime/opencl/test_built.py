"""A program that names what only OpenCL's header declares is built with the header."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyopencl as cl
import pytest

from clconv.runtime.opencl import built as building
from clconv.runtime.opencl.built import BUILD_OPTIONS, POCL_OPTIONS, built


class _Left:
    """Programs of which PoCL finds an empty one unless it is built with the header."""

    def __init__(self, context: Any, source: str) -> None:
        self.num_kernels, self.options = 0, [""]

    def build(self, options: Sequence[str], devices: Sequence[Any]) -> _Left:
        self.options = [*options]
        self.num_kernels = int(building.NO_HEADER not in options)
        return self


class _Refused(_Left):
    def build(self, options: Sequence[str], devices: Sequence[Any]) -> _Left:
        if building.NO_HEADER in options:
            raise cl.RuntimeError("no such function")
        return super().build(options, devices)


@pytest.mark.parametrize("program", [_Left, _Refused])
def test_what_was_refused_is_built_with_the_header(
    program: type[_Left], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building.cl, "Program", program)
    found = built(None, None, "kernel void k() {}", POCL_OPTIONS)
    assert found.num_kernels == 1 and found.options == [*BUILD_OPTIONS]

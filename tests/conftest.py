"""Fixtures for all tests: every visible OpenCL device, and the shared models where they are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from clconv.lowering.device import DeviceInfo

SHARED = Path(__file__).resolve().parent.parent.parent / "shared"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes `device` runs once on each OpenCL device that is visible."""
    if "device" in metafunc.fixturenames:
        from clconv.runtime.device import devices

        found = devices()
        assert found, "no OpenCL device: pip install 'clconv[pocl]'"
        metafunc.parametrize("device", found, ids=[_label(d) for d in found], scope="session")


def _label(device: DeviceInfo) -> str:
    return f"{device.index}-{device.platform.split()[0]}-{device.kind}"


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests start without CLCONV_* variables of the person who runs them."""
    for name in [n for n in os.environ if n.startswith("CLCONV_")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def shared_models() -> Path:
    folder = SHARED / "models"
    if not folder.is_dir():
        pytest.skip("the shared models are not beside this checkout")
    return folder


@pytest.fixture(scope="session")
def shared_images() -> Path:
    folder = SHARED / "images"
    if not folder.is_dir():
        pytest.skip("the shared images are not beside this checkout")
    return folder

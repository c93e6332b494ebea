"""A small network on each device, and a picture for it."""

from __future__ import annotations

import numpy as np
import pytest

from clconv.device.info import DeviceInfo
from clconv.session.session import Session
from tests.runtime.support import picture, residual

SHAPE = (1, 3, 16, 16)
RESULT = (1, 16, 16, 16)


@pytest.fixture(scope="module")
def session(device: DeviceInfo) -> Session:
    return Session(residual(), device)


@pytest.fixture
def x() -> np.ndarray:
    return picture(*SHAPE)


def expected_of(session: Session, x: np.ndarray) -> np.ndarray:
    """What a plain run gives."""
    return session.run({"x": x})["result"]

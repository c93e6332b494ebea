"""The host's memory and a CPU device: what each reads of the other's in place."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest

from clconv.runtime.transfers import Transfers, counted
from clconv.session.session import Session
from tests.session.arrays.conftest import expected_of


def test_numpy_and_dlpack_read_results(session: Session, x: np.ndarray) -> None:
    expected = expected_of(session, x)
    result = session.run(x, outputs="device")["result"]
    np.testing.assert_array_equal(np.asarray(result), expected)
    assert np.asarray(result, np.float64).dtype == np.float64
    with pytest.raises(ValueError, match="from_dlpack"):
        np.array(result, copy=False)
    if session.device.kind != "cpu":
        with pytest.raises((BufferError, RuntimeError)):
            np.from_dlpack(result)
        return
    with counted() as found:
        view = np.from_dlpack(result)
    assert found == Transfers()
    address = view.ctypes.data
    assert np.from_dlpack(result).ctypes.data == address  # the same memory, no copies
    del result
    gc.collect()
    np.testing.assert_array_equal(view, expected)


def test_dlpack_and_addresses_are_taken(session: Session, x: np.ndarray) -> None:
    class Speaker:
        """Somebody's array that speaks DLPack and nothing else."""

        def __dlpack__(self, **named: Any) -> Any:
            return x.__dlpack__(**named)

        def __dlpack_device__(self) -> tuple[int, int]:
            return x.__dlpack_device__()

    class Place:
        """Somebody's memory, of which only the address is told."""

        __array_interface__ = x.__array_interface__

    for fed in (Speaker(), Place()):
        np.testing.assert_array_equal(session.run(fed)["result"], expected_of(session, x))


def test_tensors_of_torch_are_taken(session: Session, x: np.ndarray) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    expected = expected_of(session, x)
    np.testing.assert_array_equal(session.run(torch.from_numpy(x))["result"], expected)
    result = session.run(torch.from_numpy(x), outputs="device")["result"]
    if session.device.kind == "cpu":
        np.testing.assert_array_equal(torch.from_dlpack(result).numpy(), expected)

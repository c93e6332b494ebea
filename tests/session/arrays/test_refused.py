"""Arrays that a session cannot take or fill: each error says why, and the session goes on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyopencl as cl
import pyopencl.array
import pytest

import clconv
from clconv.errors import InputError
from clconv.session.session import Session
from tests.session.arrays.conftest import RESULT, SHAPE
from tests.session.arrays.foreign_kernels import another_context


def _read_only(session: Session) -> Any:
    buffer = cl.Buffer(session.context, cl.mem_flags.READ_ONLY, 4 * int(np.prod(RESULT)))
    return clconv.DeviceArray(buffer, RESULT, np.float32)


REFUSED_OUTPUTS = {
    "READ_ONLY": _read_only,
    r"float32\[1x16x16x16\]": lambda s: s.empty((1, 16, 16, 15)),
    "float64": lambda s: s.empty(RESULT, np.float64),
    "a place is an array": lambda s: [1.0],
    "bytes; the buffer has 64": lambda s: cl.Buffer(s.context, cl.mem_flags.READ_WRITE, 64),
    "strides": lambda s: cl.array.zeros(s.queue, (*RESULT[:3], 32), np.float32)[..., ::2],
    "is read-only": lambda s: np.broadcast_to(np.float32(0), RESULT),
}


@pytest.mark.parametrize("told", REFUSED_OUTPUTS)
def test_outputs_that_cannot_be_are_refused(told: str, session: Session, x: np.ndarray) -> None:
    place = REFUSED_OUTPUTS[told](session)
    with pytest.raises(InputError, match=told):
        session.run(x, outputs={"result": place})
    assert session.run(x)["result"].shape == RESULT


REFUSED_INPUTS = {
    "WRITE_ONLY": lambda s: clconv.DeviceArray(
        cl.Buffer(s.context, cl.mem_flags.WRITE_ONLY, 4096), SHAPE, np.float32
    ),
    "takes float32, got float64": lambda s: s.empty(SHAPE, np.float64),
    "the batch axis is missing": lambda s: s.empty(SHAPE[1:]),
    "a bare buffer does not say": lambda s: cl.Buffer(s.context, cl.mem_flags.READ_WRITE, 3072),
    "strides": lambda s: cl.array.zeros(s.queue, (1, 3, 16, 32), np.float32)[..., ::2],
    "another context": lambda s: cl.array.zeros(
        cl.CommandQueue(another_context(s.device)), SHAPE, np.float32
    ),
}


@pytest.mark.parametrize("told", REFUSED_INPUTS)
def test_inputs_that_cannot_be_are_refused(told: str, session: Session, x: np.ndarray) -> None:
    given = REFUSED_INPUTS[told](session)
    with pytest.raises(InputError, match=told):
        session.run({"x": given}, outputs="device")
    assert session.run(x)["result"].shape == RESULT


def test_a_device_array_fits_its_buffer(session: Session) -> None:
    buffer = cl.Buffer(session.context, cl.mem_flags.READ_WRITE, 64)
    assert len(clconv.DeviceArray(buffer, (4, 4), np.float32)) == 4
    for shape, dtype, offset, told in (
        ((4, 5), np.float32, 0, "the buffer has 64"),
        ((4, 4), np.float32, 4, "from byte 4 on"),
        ((-1,), np.float32, 0, "negative"),
        ("ab", np.float32, 0, "sequence of numbers"),
        (4, object, 0, "numbers of this machine"),
        (4, ">f4", 0, "numbers of this machine"),
        (4, "nonsense", 0, "no dtype"),
    ):
        with pytest.raises(InputError, match=told):
            clconv.DeviceArray(buffer, shape, dtype, offset)
    with pytest.raises(InputError, match="not in bytes"):
        clconv.DeviceArray(b"1234", 1, np.float32)
    with pytest.raises(InputError, match="float64"):
        session.empty((2,)).set(np.zeros(2))

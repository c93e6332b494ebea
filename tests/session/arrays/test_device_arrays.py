"""Arrays that lie on the device: what is taken and given in place, and what is refused."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pyopencl as cl
import pyopencl.array
import pytest

import clconv
from clconv.device.info import DeviceInfo
from clconv.runtime.transfers import Transfers, counted
from clconv.session.session import Session
from tests.graph.graph_builder import Builder
from tests.runtime.support import int_input, picture, residual, session_for
from tests.session.arrays.conftest import RESULT, expected_of
from tests.session.arrays.foreign_kernels import copies_counted


def _filled(buffer: Any, session: Session, x: np.ndarray, at: int = 0) -> Any:
    cl.enqueue_copy(session.queue, buffer, np.ascontiguousarray(x), dst_offset=at)
    return buffer


def _as_device_array(session: Session, x: np.ndarray) -> Any:
    return session.to_device(x)


def _as_pyopencl(session: Session, x: np.ndarray) -> Any:
    return cl.array.to_device(session.queue, x)


def _as_part(session: Session, x: np.ndarray) -> Any:
    """The second of two pictures in a pyopencl array: a sub-array with an offset."""
    return cl.array.to_device(session.queue, np.concatenate([x * 0, x]))[1:]


def _as_wrapped_buffer(session: Session, x: np.ndarray) -> Any:
    buffer = _filled(cl.Buffer(session.context, cl.mem_flags.READ_WRITE, x.nbytes), session, x)
    return clconv.DeviceArray(buffer, x.shape, x.dtype)


def _as_sub_buffer(session: Session, x: np.ndarray) -> Any:
    """Behind 4096 bytes of others, as a sub-buffer, of which the array begins further behind."""
    whole = cl.Buffer(session.context, cl.mem_flags.READ_WRITE, x.nbytes + 8192)
    part = _filled(whole, session, x, 8192).get_sub_region(4096, x.nbytes + 4096)
    return clconv.DeviceArray(part, x.shape, x.dtype, 4096)


def _as_pooled(session: Session, x: np.ndarray) -> Any:
    from pyopencl.tools import ImmediateAllocator, MemoryPool

    pool = MemoryPool(ImmediateAllocator(session.queue))
    return cl.array.to_device(session.queue, x, allocator=pool)


def _as_svm(session: Session, x: np.ndarray) -> Any:
    if not session.queue.device.svm_capabilities & cl.device_svm_capabilities.COARSE_GRAIN_BUFFER:
        pytest.skip("no shared virtual memory")
    svm = cl.SVMAllocation(session.context, x.nbytes, 0, cl.svm_mem_flags.READ_WRITE)
    cl.enqueue_copy(session.queue, svm, x)
    session.queue.finish()
    return clconv.DeviceArray(svm, x.shape, x.dtype, context=session.context)


TAKEN = [
    _as_device_array,
    _as_pyopencl,
    _as_part,
    _as_wrapped_buffer,
    _as_sub_buffer,
    _as_pooled,
    _as_svm,
]


@pytest.mark.parametrize("as_given", TAKEN, ids=lambda f: f.__name__[4:])
def test_what_lies_on_the_device_is_read_there(
    as_given: Any, session: Session, x: np.ndarray
) -> None:
    expected = expected_of(session, x)
    given = as_given(session, x)
    session.run({"x": given}, outputs="device")  # the first makes what it needs
    with counted() as found, copies_counted() as seen:
        result = session.run({"x": given}, outputs="device")["result"]
    assert (found, seen) == (Transfers(), [])
    assert isinstance(result, clconv.DeviceArray)
    np.testing.assert_array_equal(result.get(), expected)
    np.testing.assert_array_equal(session.run(given)["result"], expected)


@pytest.mark.parametrize("outputs", ["device", "pyopencl", {"result": "device"}])
def test_results_stay_on_the_device(outputs: Any, session: Session, x: np.ndarray) -> None:
    expected = expected_of(session, x)
    result = session.run({"x": x}, outputs=outputs)["result"]
    wanted = cl.array.Array if outputs == "pyopencl" else clconv.DeviceArray
    assert isinstance(result, wanted) and len(result.events) == 1
    assert result.shape == RESULT and result.dtype == np.float32
    np.testing.assert_array_equal(result.get(), expected)


@pytest.mark.parametrize("kind", ["pyopencl", "device", "numpy", "part", "svm"])
def test_results_go_into_arrays_of_the_callers(kind: str, session: Session, x: np.ndarray) -> None:
    expected = expected_of(session, x)
    place: Any = session.empty(RESULT)
    if kind == "pyopencl":
        place = cl.array.zeros(session.queue, RESULT, np.float32)
    elif kind == "part":
        place = cl.array.zeros(session.queue, (3, *RESULT[1:]), np.float32)[1:2]
    elif kind == "svm":
        place = _as_svm(session, np.zeros(RESULT, np.float32))
    elif kind == "numpy":
        place = np.zeros(RESULT, np.float32)[:, :, ::-1]
    given = session.to_device(x)
    for _ in range(3):
        found = session.run({"x": given}, outputs={"result": place})["result"]
        assert kind == "svm" or found is place
        np.testing.assert_array_equal(found if kind == "numpy" else found.get(), expected)


def test_results_are_not_overwritten_by_the_next_run(session: Session, x: np.ndarray) -> None:
    given = [session.to_device(x * i) for i in range(6)]
    expected = [expected_of(session, x * i) for i in range(6)]
    results = [session.run(g, outputs="device")["result"] for g in given]
    del given
    for result, reference in zip(results, expected, strict=True):
        np.testing.assert_array_equal(result.get(), reference)


def test_runs_on_both_sides_may_follow_each_other(session: Session, x: np.ndarray) -> None:
    """What one run has in flight, the next must not disturb, wherever its arrays lie."""
    expected = [expected_of(session, x * i) for i in range(4)]
    for _ in range(5):
        first = session.run(session.to_device(x), outputs="device")["result"]
        second = session.run(x * 2)["result"]
        third = session.run(x * 3, outputs="device")["result"]
        np.testing.assert_array_equal(second, expected[2])
        np.testing.assert_array_equal(third.get(), expected[3])
        np.testing.assert_array_equal(first.get(), expected[1])


def test_inputs_are_as_they_were(session: Session, x: np.ndarray) -> None:
    given = session.to_device(x)
    session.run(given, outputs="device")["result"].wait()
    np.testing.assert_array_equal(given.get(), x)


def test_a_host_array_may_change_once_run_has_returned(session: Session) -> None:
    x = picture(1, 3, 64, 64)
    expected = expected_of(session, x)
    changing = x.copy()
    result = session.run(changing, outputs="device")["result"]
    changing[:] = 7
    np.testing.assert_array_equal(result.get(), expected)


def test_a_batch_in_parts_is_cut_on_the_device(
    device: DeviceInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLCONV_IMAGES", "2")
    session = Session(residual(), device)
    x = picture(5, 3, 16, 16)
    expected = expected_of(session, x)
    bound = session.prepare({"x": x.shape})
    assert bound.plan.batch_split is not None
    given = session.to_device(x)
    with counted() as found:
        result = session.run(given, outputs="device")["result"]
    assert found.to_host == 0
    np.testing.assert_array_equal(result.get(), expected)
    into = session.empty(expected.shape)
    session.run(given, outputs={"result": into})
    np.testing.assert_array_equal(into.get(), expected)


def test_what_the_host_must_do_is_done_there(device: DeviceInfo) -> None:
    """A plan that is cut takes and gives arrays by way of the host."""
    b = Builder()
    x = b.input(1, 3, 6, 6)
    places = b.node("NonZero", b.node("Relu", x), out="places")
    session = session_for(b.graph(places), device)
    value = picture(1, 3, 6, 6)
    expected = session.run({x: value})["places"]
    found = session.run({x: session.to_device(value)}, outputs="device")["places"]
    np.testing.assert_array_equal(found.get(), expected)


def test_inputs_of_other_types_and_of_no_elements(device: DeviceInfo) -> None:
    b = Builder()
    x, index = b.input("n", 4), int_input(b, 2, name="index")
    session = session_for(b.graph(b.node("Gather", x, index, out="rows", axis=1)), device)
    for count in (3, 0):
        x_value, where = picture(count, 4), np.array([3, 1])
        expected = session.run({x: x_value, "index": where})["rows"]
        feeds = {x: session.to_device(x_value), "index": session.to_device(where)}
        found = session.run(feeds, outputs="device")["rows"]
        assert found.shape == (count, 2)
        np.testing.assert_array_equal(found.get(), expected)


def test_rows_of_any_number_stay_on_the_device(device: DeviceInfo) -> None:
    session = session_for(residual(2, 16, 16), device)
    items = [picture(n, 3, 16, 16, seed=n) for n in (1, 3, 2)]
    expected = list(session.run_batches(items))
    found = list(session.run_batches(map(session.to_device, items), outputs="device"))
    for result, reference in zip(found, expected, strict=True):
        assert isinstance(result["result"], clconv.DeviceArray)
        np.testing.assert_array_equal(result["result"].get(), reference["result"])


def test_a_buffer_that_the_caller_releases_lives_as_long_as_its_array(
    session: Session, x: np.ndarray
) -> None:
    expected = expected_of(session, x)
    given = _as_wrapped_buffer(session, x)
    given.buffer.release()
    np.testing.assert_array_equal(session.run({"x": given})["result"], expected)


def test_results_outlive_their_session(device: DeviceInfo, x: np.ndarray) -> None:
    session = Session(residual(), device)
    expected = expected_of(session, x)
    result = session.run(session.to_device(x), outputs="device")["result"]
    session.close()
    del session
    gc.collect()
    np.testing.assert_array_equal(result.get(), expected)


def test_what_begins_anywhere_is_copied_on_the_device(session: Session, x: np.ndarray) -> None:
    """No kernel can be given a buffer that begins at byte 4: the input is copied to the plan, the output from it."""
    expected = expected_of(session, x)
    given, place = (
        clconv.DeviceArray(
            cl.Buffer(session.context, cl.mem_flags.READ_WRITE, array.nbytes + 4),
            array.shape, array.dtype, 4, queue=session.queue,
        )
        for array in (x, expected)
    )  # fmt: skip
    given.set(x)
    session.run(given, outputs={"result": place})
    with counted() as found:
        session.run(given, outputs={"result": place})
    assert found == Transfers(on_device=x.nbytes + expected.nbytes, count=2)
    np.testing.assert_array_equal(place.get(), expected)


def test_checked_runs_take_arrays_on_the_device(
    session: Session, x: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = session.to_device(x)
    inside = session.activations(given, ["result"])["result"]
    np.testing.assert_allclose(inside, expected_of(session, x), rtol=1e-4, atol=1e-5)
    monkeypatch.setenv("CLCONV_CHECK", "1")
    found = session.run(given, outputs="device")["result"]
    assert isinstance(found, clconv.DeviceArray)
    np.testing.assert_allclose(found.get(), inside, rtol=1e-4, atol=1e-5)

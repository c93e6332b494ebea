"""OrtValues and bindings of the stand-in for onnxruntime: what is bound to a device stays there."""

from __future__ import annotations

import ctypes

import numpy as np
import onnxruntime as original
import pytest
from onnx import TensorProto, helper

import clconv
from clconv import errors
from clconv.compat import onnxruntime as stand_in
from clconv.runtime.transfers import Transfers, counted
from tests.compat.models import random, two_inputs


@pytest.fixture(scope="module")
def session() -> stand_in.InferenceSession:
    return stand_in.InferenceSession(two_inputs().SerializeToString())


def _values(device: str) -> tuple[np.ndarray, np.ndarray, stand_in.OrtValue, stand_in.OrtValue]:
    a, b = random(2, 3, seed=5), random(2, 3, seed=6)
    made = stand_in.OrtValue.ortvalue_from_numpy
    return a, b, made(a, device, 0), made(b, device, 0)


def test_what_is_bound_to_a_device_stays_there(session: stand_in.InferenceSession) -> None:
    a, b, first, second = _values("cuda")
    target = stand_in.OrtValue.ortvalue_from_shape_and_type([2, 3], np.float32, "cuda")
    binding = session.io_binding()
    binding.bind_ortvalue_input("a", first)
    binding.bind_ortvalue_input("b", second)
    binding.bind_output("file", "cuda")
    binding.bind_ortvalue_output("sum", target)
    session.run_with_iobinding(binding)  # the values move to the device
    with counted() as found:
        session.run_with_iobinding(binding)
        binding.synchronize_inputs()
        binding.synchronize_outputs()
    assert found == Transfers()
    product, total = binding.get_outputs()
    assert total is target and product.is_on_device and product.device_name() == "cuda"
    np.testing.assert_allclose(product.numpy(), a * b, rtol=1e-5)
    np.testing.assert_allclose(binding.copy_outputs_to_cpu()[1], a + b, rtol=1e-5)
    with pytest.raises(errors.InputError, match="has no address"):
        product.data_ptr()


def test_an_output_on_the_device_is_the_next_runs_input(session: stand_in.InferenceSession) -> None:
    a, b, first, second = _values("opencl")
    binding = session.io_binding()
    binding.bind_ortvalue_input("b", second)
    value = first
    for _ in range(4):
        binding.bind_ortvalue_input("a", value)
        binding.bind_output("sum", "opencl")
        session.run_with_iobinding(binding)
        (value,) = binding.get_outputs()
    np.testing.assert_allclose(value.numpy(), a + 4 * b, rtol=1e-5)


def test_updates_reach_what_is_bound(session: stand_in.InferenceSession) -> None:
    for device in ("cpu", "cuda"):
        a, b, first, second = _values(device)
        binding = session.io_binding()
        binding.bind_ortvalue_input("a", first)
        binding.bind_ortvalue_input("b", second)
        binding.bind_output("sum")
        session.run_with_iobinding(binding)
        twice = 2 * a  # on the host `a` is what is written into
        first.update_inplace(twice)
        session.run_with_iobinding(binding)
        np.testing.assert_allclose(binding.copy_outputs_to_cpu()[0], twice + b, rtol=1e-5)
        with pytest.raises(errors.InputError, match=r"\[2, 3\], the array"):
            first.update_inplace(a[:1])


def test_run_takes_values_on_either_side(session: stand_in.InferenceSession) -> None:
    a, b, first, _ = _values("cuda")
    (total,) = session.run(["sum"], {"a": first, "b": b})
    np.testing.assert_allclose(total, a + b, rtol=1e-5)
    given = {"a": first, "b": stand_in.OrtValue.ortvalue_from_numpy(b)}
    (value,) = session.run_with_ort_values(["sum"], given)
    assert not value.is_on_device
    np.testing.assert_allclose(value.numpy(), a + b, rtol=1e-5)
    wrapped = stand_in.OrtValue(session.session.to_device(a))
    assert isinstance(wrapped.placed(session.session), clconv.DeviceArray)
    assert wrapped.shape() == [2, 3] and wrapped.data_type() == "tensor(float)"
    np.testing.assert_array_equal(np.asarray(wrapped), a)
    (total,) = session.run(["sum"], {"a": wrapped, "b": b})
    np.testing.assert_allclose(total, a + b, rtol=1e-5)


def test_addresses_in_the_hosts_memory_are_bound(session: stand_in.InferenceSession) -> None:
    a, b = random(2, 3, seed=5), random(2, 3, seed=6)
    total = np.zeros((2, 3), np.float32)
    binding = session.io_binding()
    binding.bind_input("a", "cpu", 0, np.float32, (2, 3), a.ctypes.data)
    binding.bind_input("b", "cpu", 0, np.float32, (2, 3), b.ctypes.data)
    binding.bind_output("sum", "cpu", 0, np.float32, (2, 3), total.ctypes.data)
    session.run_with_iobinding(binding)
    np.testing.assert_allclose(total, a + b, rtol=1e-5)
    for bad in (("cuda", 0, np.float32, (2, 3), 4096), ("cpu", 0, np.float32, (2, 3), None)):
        with pytest.raises(errors.InputError, match="addresses"):
            binding.bind_input("a", *bad)
    with pytest.raises(errors.InputError, match="element type and the shape"):
        binding.bind_output("sum", "cpu", 0, None, None, total.ctypes.data)


def test_a_profiled_session_binds_too(tmp_path: object) -> None:
    options = stand_in.SessionOptions()
    options.enable_profiling = True
    options.profile_file_prefix = f"{tmp_path}/profile"
    session = stand_in.InferenceSession(two_inputs().SerializeToString(), options)
    a, b, first, second = _values("cuda")
    binding = session.io_binding()
    binding.bind_ortvalue_input("a", first)
    binding.bind_ortvalue_input("b", second)
    binding.bind_output("sum", "cuda")
    session.run_with_iobinding(binding)
    assert binding.get_outputs()[0].is_on_device
    np.testing.assert_allclose(binding.copy_outputs_to_cpu()[0], a + b, rtol=1e-5)
    session.end_profiling()


def test_a_value_in_the_hosts_memory_is_the_array_itself() -> None:
    """As in onnxruntime, so that a buffer that is bound once can be filled anew; laid out otherwise, it is copied."""
    for package in (stand_in, original):
        array = random(2, 3, seed=5)
        value = package.OrtValue.ortvalue_from_numpy(array)
        array[:] = 7
        np.testing.assert_array_equal(value.numpy(), np.full((2, 3), 7, np.float32))
        turned = package.OrtValue.ortvalue_from_numpy(
            np.arange(6, dtype=np.float32).reshape(2, 3).T
        )
        flat = np.ctypeslib.as_array((ctypes.c_float * 6).from_address(turned.data_ptr()))
        np.testing.assert_array_equal(flat, [0, 3, 1, 4, 2, 5])
    fixed = np.frombuffer(np.arange(6, dtype=np.float32).tobytes(), np.float32)
    value = stand_in.OrtValue.ortvalue_from_numpy(fixed)
    value.update_inplace(2 * fixed)
    np.testing.assert_array_equal(value.numpy(), 2 * fixed)
    kept = random(2, 3, seed=5)
    value = stand_in.OrtValue.ortvalue_from_numpy(kept, "cuda", 0)
    first = kept.copy()
    kept[:] = 7
    np.testing.assert_array_equal(value.numpy(), first)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int64", "uint8", "bool"])
def test_types_go_by_onnxs_numbers(session: stand_in.InferenceSession, dtype: str) -> None:
    for package in (stand_in, original):
        value = package.OrtValue.ortvalue_from_numpy(np.zeros((2, 3), dtype))
        assert value.element_type() == helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        made = package.OrtValue.ortvalue_from_shape_and_type([2, 3], value.element_type())
        assert made.data_type() == value.data_type() and made.shape() == [2, 3]
    with pytest.raises(errors.InputError, match="no element type"):
        stand_in.OrtValue.ortvalue_from_shape_and_type([2, 3], int(TensorProto.STRING))


def test_addresses_go_with_onnxs_numbers(session: stand_in.InferenceSession) -> None:
    a, b, result = random(2, 3, seed=5), random(2, 3, seed=6), np.zeros((2, 3), np.float32)
    binding = session.io_binding()
    for name, array in (("a", a), ("b", b)):
        binding.bind_input(name, "cpu", 0, TensorProto.FLOAT, array.shape, array.ctypes.data)
    binding.bind_output("sum", "cpu", 0, TensorProto.FLOAT, result.shape, result.ctypes.data)
    session.run_with_iobinding(binding)
    np.testing.assert_allclose(result, a + b, rtol=1e-5)

"""OrtValue: a tensor in the host's memory, or one that stays on the device of the session that uses it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from clconv.compat.onnxruntime.types import element_dtype, type_name, type_number
from clconv.errors import InputError
from clconv.graph.ir import DType

if TYPE_CHECKING:
    from clconv.runtime.opencl import DeviceArray
    from clconv.session.session import Session

HOST = "cpu"


class OrtValue:
    """A tensor. array: of NumPy, or a DeviceArray of clconv, which stays where it lies.

    A device type other than "cpu" means the device of whichever session uses the value first: it moves there then, once,
    and stays.
    """

    def __init__(self, array: np.ndarray | DeviceArray, device_type: str = HOST) -> None:
        self._array: Any = array
        self._device_type = device_type

    @classmethod
    def ortvalue_from_numpy(
        cls, array: np.ndarray, device_type: str = HOST, device_id: int = 0, **ignored: Any
    ) -> OrtValue:
        """device_type: "cpu" for the array itself, so that what is written into it later is seen (a copy, if it is read-only
        or its elements do not lie one behind the other); any other for a copy on the device of the session that uses it.
        device_id is ignored."""
        array = np.asarray(array)
        keep = np.asarray if device_type == HOST and array.flags.writeable else np.array
        return cls(keep(array, order="C"), device_type)

    @classmethod
    def ortvalue_from_shape_and_type(
        cls,
        shape: Sequence[int],
        element_type: Any,
        device_type: str = HOST,
        device_id: int = 0,
        **ignored: Any,
    ) -> OrtValue:
        """A tensor of that shape and type, NumPy's or ONNX's number of it; its content is undefined."""
        return cls(np.empty(tuple(shape), element_dtype(element_type)), device_type)

    @property
    def is_on_device(self) -> bool:
        """Whether it lies in a buffer now."""
        return not isinstance(self._array, np.ndarray)

    def placed(self, session: Session) -> Any:
        """What a session reads or writes: the NumPy array, or the array on its device, to which it moves now."""
        if not self.is_on_device and self._device_type != HOST:
            self._array = session.to_device(self._array)
        return self._array

    def numpy(self) -> np.ndarray:
        """The array itself on the host, a copy of one that lies on a device."""
        return self._array.get() if self.is_on_device else self._array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self.numpy(), dtype)

    def __dlpack__(self, **named: Any) -> Any:
        return self._array.__dlpack__(**named)

    def __dlpack_device__(self) -> Any:
        return self._array.__dlpack_device__()

    def shape(self) -> list[int]:
        return list(self._array.shape)

    def data_type(self) -> str:
        return type_name(DType.of(self._array.dtype))

    def element_type(self) -> int:
        """ONNX's number of the type, such as onnx.TensorProto.FLOAT."""
        return type_number(DType.of(self._array.dtype))

    def device_name(self) -> str:
        """ "cpu" for a value in the host's memory, else the device type it was made with."""
        return self._device_type

    def has_value(self) -> bool:
        return True

    def is_tensor(self) -> bool:
        return True

    def is_sparse_tensor(self) -> bool:
        return False

    def is_tensor_sequence(self) -> bool:
        return False

    def data_ptr(self) -> int:
        """The address in the host's memory. Raises InputError for a value on a device, whose buffer has none."""
        if self.is_on_device:
            raise InputError(
                "a value on an OpenCL device has no address; bind it with bind_ortvalue_input()"
            )
        return int(self._array.ctypes.data)

    def update_inplace(self, array: np.ndarray) -> None:
        """Copies an array of the same shape and type in. Raises InputError for any other."""
        if tuple(array.shape) != tuple(self._array.shape) or array.dtype != self._array.dtype:
            raise InputError(
                f"the OrtValue is {self._array.dtype}{self.shape()}, the array "
                f"{array.dtype}{list(array.shape)}"
            )
        if self.is_on_device:
            self._array.set(array)
        else:
            np.copyto(self._array, array)

    def wait(self) -> None:
        """Returns when the value is computed."""
        if self.is_on_device:
            self._array.wait()

"""OrtValue, and binding of inputs and outputs. Values lie in host memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from clconv.compat.onnxruntime.types import type_name
from clconv.errors import InputError
from clconv.graph.ir import DType

if TYPE_CHECKING:
    from clconv.compat.onnxruntime.session import InferenceSession


class OrtValue:
    """A tensor in host memory."""

    def __init__(self, array: np.ndarray) -> None:
        self._array = array

    @classmethod
    def ortvalue_from_numpy(
        cls, array: np.ndarray, device_type: str = "cpu", device_id: int = 0, **ignored: Any
    ) -> OrtValue:
        """A copy of the array. The device is ignored: clconv moves values when it runs."""
        return cls(np.array(array))

    @classmethod
    def ortvalue_from_shape_and_type(
        cls,
        shape: Sequence[int],
        element_type: Any,
        device_type: str = "cpu",
        device_id: int = 0,
        **ignored: Any,
    ) -> OrtValue:
        """A tensor of that shape and NumPy type; its content is undefined."""
        return cls(np.empty(tuple(shape), element_type))

    def numpy(self) -> np.ndarray:
        return self._array

    def shape(self) -> list[int]:
        return list(self._array.shape)

    def data_type(self) -> str:
        return type_name(DType.of(self._array))

    def device_name(self) -> str:
        return "cpu"

    def has_value(self) -> bool:
        return True

    def is_tensor(self) -> bool:
        return True

    def is_sparse_tensor(self) -> bool:
        return False

    def is_tensor_sequence(self) -> bool:
        return False

    def data_ptr(self) -> int:
        return int(self._array.ctypes.data)

    def update_inplace(self, array: np.ndarray) -> None:
        """Copies an array of the same shape and type in. Raises InputError for any other."""
        if array.shape != self._array.shape or array.dtype != self._array.dtype:
            raise InputError(
                f"the OrtValue is {self._array.dtype}{list(self._array.shape)}, the array "
                f"{array.dtype}{list(array.shape)}"
            )
        np.copyto(self._array, array)


class IOBinding:
    """Inputs and outputs set once and used by run_with_iobinding()."""

    def __init__(self, session: InferenceSession) -> None:
        self._session = session
        self._inputs: dict[str, np.ndarray] = {}
        self._outputs: dict[str, OrtValue | None] = {}
        self._results: list[OrtValue] = []

    def bind_cpu_input(self, name: str, array: np.ndarray) -> None:
        self._inputs[name] = array

    def bind_ortvalue_input(self, name: str, value: OrtValue) -> None:
        self._inputs[name] = value.numpy()

    def bind_input(self, name: str, *place: Any, **named: Any) -> None:
        raise InputError(
            f"input '{name}': memory addresses cannot be bound here; use bind_cpu_input() or "
            "bind_ortvalue_input()"
        )

    def bind_output(
        self,
        name: str,
        device_type: str = "cpu",
        device_id: int = 0,
        element_type: Any = None,
        shape: Any = None,
        buffer_ptr: int | None = None,
    ) -> None:
        """The output is made at each run. Raises InputError for a memory address."""
        if buffer_ptr:
            raise InputError(
                f"output '{name}': memory addresses cannot be bound here; use bind_ortvalue_output()"
            )
        self._outputs[name] = None

    def bind_ortvalue_output(self, name: str, value: OrtValue) -> None:
        self._outputs[name] = value

    def run(self) -> None:
        """Runs the session on what is bound; outputs bound to an OrtValue are copied into it."""
        names = list(self._outputs)
        arrays = self._session.run(names, self._inputs)
        self._results = []
        for name, array in zip(names or self._session.output_names, arrays, strict=True):
            bound = self._outputs.get(name)
            if bound is None:
                bound = OrtValue(array)
            else:
                bound.update_inplace(array)
            self._results.append(bound)

    def get_outputs(self) -> list[OrtValue]:
        return list(self._results)

    def copy_outputs_to_cpu(self) -> list[np.ndarray]:
        return [value.numpy() for value in self._results]

    def clear_binding_inputs(self) -> None:
        self._inputs.clear()

    def clear_binding_outputs(self) -> None:
        self._outputs.clear()

    def synchronize_inputs(self) -> None:
        """Nothing to wait for: run() returns when its results are there."""

    def synchronize_outputs(self) -> None:
        """Nothing to wait for: run() returns when its results are there."""


SessionIOBinding = IOBinding

"""Binding of inputs and outputs: what is bound to a device stays there from run to run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from clconv.compat.onnxruntime.ortvalue import HOST, OrtValue
from clconv.compat.onnxruntime.types import element_dtype
from clconv.errors import InputError
from clconv.runtime.opencl import host_array

if TYPE_CHECKING:
    from clconv.compat.onnxruntime.session import InferenceSession


class IOBinding:
    """Inputs and outputs set once and used by run_with_iobinding().

    What is bound to a device type other than "cpu" lies on the session's device: nothing of it is copied to the host
    until it is asked for there.
    """

    def __init__(self, session: InferenceSession) -> None:
        self._session = session
        self._inputs: dict[str, Any] = {}
        self._outputs: dict[str, OrtValue | str] = {}  # the value, or the device type of a new one
        self._results: list[OrtValue] = []

    def bind_cpu_input(self, name: str, array: np.ndarray) -> None:
        self._inputs[name] = array

    def bind_ortvalue_input(self, name: str, value: OrtValue) -> None:
        self._inputs[name] = value

    def bind_input(
        self,
        name: str,
        device_type: str = HOST,
        device_id: int = 0,
        element_type: Any = None,
        shape: Sequence[int] | None = None,
        buffer_ptr: int | None = None,
    ) -> None:
        """Memory of the host's at an address, which must stay there and hold an array of that type (NumPy's, or ONNX's number
        of it) and shape, row by row.
        Raises InputError for addresses of other devices: OpenCL's buffers have none."""
        self._inputs[name] = _at_address(
            f"input '{name}'", device_type, element_type, shape, buffer_ptr, "bind_ortvalue_input()"
        )

    def bind_output(
        self,
        name: str,
        device_type: str = HOST,
        device_id: int = 0,
        element_type: Any = None,
        shape: Any = None,
        buffer_ptr: int | None = None,
    ) -> None:
        """The output is made at each run, in the host's memory or, with a device type other than "cpu", on the device;
        with an address it goes there, as with bind_input()."""
        if buffer_ptr:
            found = _at_address(
                f"output '{name}'",
                device_type,
                element_type,
                shape,
                buffer_ptr,
                "bind_ortvalue_output()",
            )
            self._outputs[name] = OrtValue(found)
        else:
            self._outputs[name] = device_type

    def bind_ortvalue_output(self, name: str, value: OrtValue) -> None:
        self._outputs[name] = value

    def run(self) -> None:
        """Runs the session on what is bound; outputs bound to an OrtValue are written into it."""
        outputs = self._outputs or dict.fromkeys(self._session.output_names, HOST)
        session = self._session.session
        places = {
            name: bound.placed(session)
            if isinstance(bound, OrtValue)
            else "host"
            if bound == HOST
            else "device"
            for name, bound in outputs.items()
        }
        found = self._session.run_to(places, self._inputs)
        self._results = [
            bound if isinstance(bound, OrtValue) else OrtValue(found[name], bound)
            for name, bound in outputs.items()
        ]

    def get_outputs(self) -> list[OrtValue]:
        return list(self._results)

    def copy_outputs_to_cpu(self) -> list[np.ndarray]:
        return [value.numpy() for value in self._results]

    def clear_binding_inputs(self) -> None:
        self._inputs.clear()

    def clear_binding_outputs(self) -> None:
        self._outputs.clear()

    def synchronize_inputs(self) -> None:
        """Returns when the inputs that lie on the device are computed."""
        for value in self._inputs.values():
            if isinstance(value, OrtValue):
                value.wait()

    def synchronize_outputs(self) -> None:
        """Returns when the outputs that stay on the device are computed."""
        for value in self._results:
            value.wait()


def _at_address(
    what: str, device_type: str, element_type: Any, shape: Any, address: int | None, other: str
) -> np.ndarray:
    if device_type != HOST or not address:
        raise InputError(
            f"{what}: memory addresses of {device_type!r} cannot be bound here; use bind_cpu_input() or {other}"
        )
    if element_type is None or shape is None:
        raise InputError(
            f"{what}: an address needs the element type and the shape of what is there"
        )
    return host_array(address, tuple(map(int, shape)), element_dtype(element_type), None)


SessionIOBinding = IOBinding

"""What a device cannot have: dtypes, also of kernels that compute in their arguments' types, and work-groups."""

from __future__ import annotations

from clconv.device.info import DeviceInfo
from clconv.graph.ir import DType
from clconv.lowering.model.kernel import Problem


def computed(dtype: DType) -> DType:
    """The dtype in which kernels compute with elements of a dtype: halves are stored, floats computed."""
    return DType.FLOAT32 if dtype is DType.FLOAT16 else dtype


def has_double(device: DeviceInfo) -> bool:
    return "cl_khr_fp64" in device.extensions


def double_obstacle(problem: Problem) -> str | None:
    """Why the device cannot compute with the dtypes of the node's tensors. Halves are only stored."""
    return _without_double(_dtypes(problem), problem.device)


def arithmetic_obstacle(problem: Problem) -> str | None:
    """Why kernels with the dtypes of the node's tensors as parameters cannot run on the device."""
    return dtype_obstacle(_dtypes(problem), problem.device)


def dtype_obstacle(dtypes: set[DType], device: DeviceInfo) -> str | None:
    """Why kernels that compute in these dtypes cannot run on the device."""
    if DType.FLOAT16 in dtypes:
        return "there is no arithmetic kernel for float16"
    return _without_double(dtypes, device)


def work_group_obstacle(device: DeviceInfo, local_bytes: int, items: int) -> str | None:
    """Why a device cannot run work-groups of so many items with so much local memory."""
    if local_bytes <= device.local_memory and items <= device.largest_work_group:
        return None
    return (
        f"needs {local_bytes} bytes of local memory and work-groups of {items}, has "
        f"{device.local_memory} and {device.largest_work_group}"
    )


def _without_double(dtypes: set[DType], device: DeviceInfo) -> str | None:
    if DType.FLOAT64 in dtypes and not has_double(device):
        return "float64 needs cl_khr_fp64, which the device has not"
    return None


def _dtypes(problem: Problem) -> set[DType]:
    return {s.dtype for s in (*problem.inputs, *problem.outputs) if s is not None}

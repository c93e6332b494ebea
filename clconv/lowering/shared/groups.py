"""How the work-groups of a GPU share lines along the middle axis of a tensor (outer, n, inner)."""

from __future__ import annotations

import math

from clconv.device.info import DeviceInfo
from clconv.graph.ir import DType
from clconv.lowering.model.call import Kernel, KernelCall
from clconv.lowering.model.kernel import Problem
from clconv.lowering.model.obstacles import computed
from clconv.lowering.shared.axes import line_arguments
from clconv.lowering.shared.epilogue import Epilogue
from clconv.lowering.shared.reduction import Reduction
from clconv.lowering.shared.tile_choice import READ_TOGETHER
from clconv.lowering.shared.tiles import memory_rate
from clconv.lowering.shared.work_split import power_of_two
from clconv.records import record

_MOST_ITEMS = (
    256  # of a group: enough to hide the latency of memory, and no device has less by default
)
_ITEM_BYTES = 8  # of local memory: a float, and room for what a kernel keeps besides
_LEAST_TURNS = 4  # of an item's loop, before more items share a line
_NOTHING = Epilogue()
# A warp of NVIDIA's; what kernels/group.mako asks Intel's compiler for.
_ABREAST = {"nvidia": 32, "intel": 16, "emulated": 8}


def most_items(device: DeviceInfo, most: int, item_bytes: int) -> int:
    """Work-items of a group, a power of two up to `most`, if each takes so many bytes of local memory."""
    room = max(1, device.local_memory // item_bytes)
    return power_of_two(min(most, device.largest_work_group, room))


@record(frozen=True)
class WorkSplit:
    """A group's work-items: `items` share a line, for each of `lanes` neighbouring columns of `rows` rows, so that
    items side by side read neighbours. All are powers of two. width: elements of a load along a line. split: whether
    lines are cut into chunks, and these are what is shared; see lowering.split. shuffle: DeviceInfo.shuffle where those
    that share a line lie side by side and fill the device's lanes; "" leaves it to local memory."""

    items: int
    lanes: int
    rows: int
    width: int
    split: bool = False
    shuffle: str = ""

    @property
    def local(self) -> int:
        return self.items * self.lanes * self.rows

    @property
    def abreast(self) -> int:
        """Work-items of a line that exchange values without local memory."""
        return min(self.items, _ABREAST[self.shuffle]) if self.shuffle else 1

    def sizes(self, outer: int, inner: int) -> tuple[tuple[int], tuple[int]]:
        """(work-items in all, of a group): the launch over so many rows and columns."""
        groups = -(-outer // self.rows) * -(-inner // self.lanes)
        return (groups * self.local,), (self.local,)

    @classmethod
    def of(cls, device: DeviceInfo, outer: int, n: int, inner: int) -> WorkSplit:
        most = most_items(device, _MOST_ITEMS, _ITEM_BYTES)
        width = 4 if inner == 1 and n % 4 == 0 else 1
        if inner == 1:
            turns = max(1, n // (width * _LEAST_TURNS), min(n // width, READ_TOGETHER))
            items, lanes = min(most, power_of_two(turns)), 1
        else:
            lanes = min(most, READ_TOGETHER, power_of_two(inner))
            filled = outer * inner >= 1024 * device.compute_units
            turns = 1 if filled else max(1, n // _LEAST_TURNS)
            items = min(most // lanes, power_of_two(turns))
        rows = min(most // (items * lanes), power_of_two(outer))
        whole = device.shuffle_verified and lanes == 1 and items * rows >= _ABREAST[device.shuffle]
        return cls(items, lanes, rows, width, shuffle=device.shuffle if whole else "")


def group_obstacle(problem: Problem) -> str | None:
    """Why kernels that share lines of floats, which may be stored as halves, cannot run the node."""
    dtypes = {computed(s.dtype) for s in (*problem.inputs, *problem.outputs) if s is not None}
    if computed(problem.x.dtype) is not DType.FLOAT32 or DType.FLOAT64 in dtypes:
        return f"needs float32 or float16, got {problem.x.dtype.value}"
    if not 0 < problem.x.size < 1 << 31:
        return "needs elements, fewer than 2^31"
    return None


def group_estimate(problem: Problem) -> float:
    """Infinite on CPUs, where barriers cost more than they save; else the time to read and write the tensors."""
    if problem.device.is_cpu:
        return math.inf
    return (problem.x.nbytes + problem.y.nbytes) / memory_rate(problem.device)


def group_call(
    problem: Problem,
    sizes: tuple[int, int, int],
    op: Reduction,
    top: Reduction | None = None,
    epilogue: Epilogue = _NOTHING,
) -> KernelCall:
    """The launch of reduce/group: x seen as sizes (outer, n, inner) to the first output."""
    outer, n, inner = sizes
    work_split = WorkSplit.of(problem.device, outer, n, inner)
    kernel = Kernel.of(
        "reduce/group.cl.mako",
        "reduce_group",
        work_split=work_split,
        op=op,
        top=top,
        epilogue=epilogue.terms,
        epilogue_names=epilogue.names,
    )
    y = problem.y
    channels, channel_size = y.shape[1] if y.rank > 1 else 1, math.prod(y.shape[2:])
    arguments = line_arguments(
        problem, outer=outer, n=n, inner=inner, channels=channels, channel_size=channel_size
    )
    arguments += epilogue.arguments
    return problem.call(kernel, arguments, *work_split.sizes(outer, inner))


def row_groups(
    device: DeviceInfo, columns: int, rows: int
) -> tuple[tuple[int, int], tuple[int, int]]:
    """(items of a work-group, items in all) along the rows of images, and down them: groups of about 64."""
    most = power_of_two(min(64, device.largest_work_group))
    across = min(most, 1 << max(0, columns - 1).bit_length(), 32)
    down = min(most // across, 1 << max(0, rows - 1).bit_length())
    return (across, down), (-(-columns // across) * across, -(-rows // down) * down)

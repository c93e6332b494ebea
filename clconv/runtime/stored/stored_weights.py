"""Packed weights in a file, and on a device once a plan needs them."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Sequence

from clconv.errors import ModelError
from clconv.runtime.constants import DeviceConstants, Held
from clconv.spans import span
from clconv.store.container import Blobs

WEIGHT = "weight-"  # how the names of their blobs begin
_MAPPED = 64 << 20  # bytes of the weights of a file from which they are used where they are
_ALIGNMENT = 64  # bytes that a weight begins at a multiple of, to be used there


class StoredWeights:
    """The weights of one file, by the names of its blobs, shared by the plans of a session. A copy lives as long as a plan
    that uses it.

    Many are used in the system's memory of the file, where the device computes in memory of ours: new memory for them is what
    a load would take longest for. Few gain by huge pages, which files do not have (benchmarks/results/first_answer.md).
    """

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        nbytes = sum(blobs.nbytes(name) for name in blobs.names if name.startswith(WEIGHT))
        self._are_many = nbytes >= _MAPPED
        self._are_mapped = False
        self._held: weakref.WeakValueDictionary[str, Held] = weakref.WeakValueDictionary()

    def held(self, name: str) -> Held:
        """KeyError unless somebody holds it."""
        return self._held[name]

    def begin(self, wanted: Sequence[str], constants: DeviceConstants) -> Callable[[], list[Held]]:
        """Begins to read these in a thread of its own. What it returns waits for them, and gives them to be held. It raises
        Unusable if the file is damaged, DeviceError if the device has no room."""
        found: list[Held] = []
        failed: list[BaseException] = []

        def read() -> None:
            try:
                found.extend(self._read(name, constants) for name in wanted)
            except BaseException as reason:  # for the thread that waits
                failed.append(reason)

        thread = threading.Thread(target=read, name="clconv weights", daemon=True)
        thread.start()

        def wait() -> list[Held]:
            with span("read weights"):
                thread.join()
            if failed:
                raise failed[0]
            return found

        return wait

    def _read(self, name: str, constants: DeviceConstants) -> Held:
        held = self._held.get(name)
        if held is None:
            held = self._mapped(name, constants) or constants.written(
                self._blobs.nbytes(name), lambda target: self._blobs.read_into(name, target)
            )
            self._held[name] = held
        return held

    def _mapped(self, name: str, constants: DeviceConstants) -> Held | None:
        if not (self._are_many and constants.takes_host_memory and self._blobs.nbytes(name)):
            return None
        memory = self._blobs.mapped(name)
        if memory.ctypes.data % _ALIGNMENT:
            return None
        self._are_mapped = True
        return constants.lent(memory)

    @property
    def may_change(self) -> bool:
        """Whether weights are used in the file, where others could write."""
        return self._are_mapped

    def check(self) -> None:
        """Raises ModelError once weights that are used in place are not what they were."""
        if self._are_mapped and self._blobs.has_changed():
            raise ModelError(
                f"{self._blobs.path} was overwritten while the network in it was in use: load it again, and move new files "
                "to the place of old ones instead of writing into them"
            )

"""Packed weights in a file, and on a device once a plan needs them."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Sequence

from clconv.runtime.constants import DeviceConstants, Held
from clconv.spans import span
from clconv.store.container import Blobs


class StoredWeights:
    """The weights of one file, by the names of its blobs, shared by the plans of a session. A copy lives as long as a plan
    that uses it."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
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
            held = constants.written(
                self._blobs.nbytes(name), lambda target: self._blobs.read_into(name, target)
            )
            self._held[name] = held
        return held

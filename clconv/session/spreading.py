"""Batches of a session: arrays of any number of rows, on one device or spread over several."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from clconv.device.info import DeviceInfo
from clconv.errors import InputError
from clconv.graph.ir import Graph, TensorSpec
from clconv.session.batches import run_batches
from clconv.session.network import Network
from clconv.session.requests import Requests
from clconv.session.wanted import DEVICE, HOST, Outputs


class Spreading(Requests):
    """run_batches() of a session, and the devices that it uses besides the session's own."""

    device: DeviceInfo
    imported: Graph
    _network: Network
    _others: tuple[DeviceInfo, ...]
    _elsewhere: list[Any]
    _with_fed_lock: threading.Lock

    def run_batches(
        self,
        items: Iterable[Any],
        batch: int | None = None,
        outputs: Outputs | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Output arrays by name for each item of an iterable, in order; a generator that holds a few batches only.

        items: arrays, or dicts of arrays by input name, of any numbers of rows along axis 0, or without that axis for a
        single row. They are run in batches of the model's size, or of `batch` rows (16 by default) where the model leaves
        it open. Each result has as many rows as its item. Where the batch is fixed, the last one is filled up with copies
        of its last row, and the copies are left out of the results. A change of the shape of a row begins a new batch.
        The rows must not depend on each other. While a batch runs, the next items are taken from the iterable. After
        spread_over(), batches go to all devices.

        outputs: names of those that are wanted, all by default; "device", or a mapping from name to "device" or "host",
        for results that stay on the device, each a DeviceArray: rows of what a batch gave, or a copy on the device where
        an item's rows went into several. What lies on a device among the items is copied.

        Raises InputError for items that the model does not take, at their turn, and for outputs that are no rows, or are
        to stay on several devices.
        """
        self._opened  # noqa: B018 - raises if it is closed
        wanted = self._wanted(outputs)
        if not all(isinstance(p, str) and p in (HOST, DEVICE) for p in wanted.places.values()):
            raise InputError(
                f"run_batches() gives outputs to {HOST!r} or {DEVICE!r}, not {outputs!r}"
            )
        if self._others and not wanted.is_on_host:
            raise InputError(
                "outputs that stay on the device: run_batches() must not be spread over several"
            )
        self._open_others()
        runs = [lambda feeds, s=s: s.run(feeds, wanted.places) for s in (self, *self._elsewhere)]
        return run_batches(runs, self.inputs, items, batch)

    def spread_over(self, devices: Sequence[DeviceInfo]) -> None:
        """run_batches() runs on these devices, too, each as much as it is fast; run() stays on `device`. Devices are
        opened when first used. Raises InputError for a graph with state, which lies on one device."""
        if devices and self._network.face.state:
            raise InputError("a graph with state runs on one device")
        self._others, self._elsewhere = tuple(devices), []

    @property
    def precision(self) -> str:
        raise NotImplementedError

    @property
    def inputs(self) -> dict[str, TensorSpec]:
        raise NotImplementedError

    @property
    def devices(self) -> tuple[DeviceInfo, ...]:
        """Where run_batches() runs."""
        return (self.device, *self._others)

    def _open_others(self) -> None:
        with self._with_fed_lock:
            for device in self._others[len(self._elsewhere) :]:
                more = type(self)(self.imported, device, precision=self.precision)  # type: ignore[call-arg]
                self._elsewhere.append(more)

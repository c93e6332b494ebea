"""Plans of a network that a session finds in a file, and adds to it: the cache of those that were loaded before.

A file is found by all that its plans were made of: the content of the model's file, the device with its driver, the options,
what `clconv doctor` and `clconv tune` found out, and the code of clconv. It is used if it names the very same inside.
"""

from __future__ import annotations

import collections
import contextlib
import functools
import hashlib
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from clconv import config
from clconv.debug import LOGGER, say
from clconv.device.info import DeviceInfo
from clconv.device.options import PlanOptions
from clconv.errors import ConfigError, ModelError, warn_once
from clconv.graph.ir import Graph, TensorSpec
from clconv.runtime.stored.stored_plan import Data, StoredPlan
from clconv.session.behind import Behind
from clconv.session.coming import announce, wait_for
from clconv.session.plan_facts import facts_of, is_looked_into
from clconv.session.stored_network import (
    Specs,
    StoredNetwork,
    face_data,
    head_data,
    write_network,
)
from clconv.store import files, trust
from clconv.store.contents import (
    begin_content,
    content_of,
    is_same,
    stamp_of,
    unchanged_since,
)
from clconv.store.files import Unusable
from clconv.store.kept import check_kept, kept_path, writing_kept

if TYPE_CHECKING:
    from clconv.runtime.bound import BoundPlan

_FOLDER = "networks"
_PLANS = 4  # of different sizes, of one network
_SPARE = 2  # times what is written must be free on the disk

Imported = Callable[[], Graph]


class KeptPlans:
    """Where a session looks for plans, and puts those that it makes. network: what the file held when it was opened, None
    if there was none. imported: makes the graph."""

    network: StoredNetwork | None = None

    def __init__(self, imported: Imported) -> None:
        self.imported = imported
        self._lock = threading.Lock()

    def graph(self) -> Graph:
        """The network as it was imported. Raises what its import raises."""
        return self.imported()

    def find(self, specs: Specs, device: DeviceInfo) -> StoredPlan | None:
        """The plan for inputs of these specs, if it is there and the device has room for it."""
        network = self.network
        if network is None:
            return None
        try:
            plan = network.plan(specs, device)
        except Unusable as reason:
            self.damaged(reason)
            return None
        if plan is None or max(plan.memory.arenas, default=0) > device.largest_allocation:
            return None
        return plan if network.nbytes(specs) <= device.global_memory else None

    def planned_before(self) -> list[dict[str, TensorSpec]]:
        """The specs of the plans that are there, in the order in which they were made."""
        return [] if self.network is None else self.network.specs

    def damaged(self, reason: Unusable) -> None:
        """What is there cannot be used: from now on as if it were not there."""
        raise NotImplementedError

    def keep(self, graph: Graph, device: DeviceInfo, specs: Specs, bound: BoundPlan) -> None:
        """Adds a plan that was made for these specs, perhaps later. graph: the whole, as a session tells of it."""

    def settle(self) -> None:
        """Returns once all plans are there that are to be kept."""


class CachedPlans(KeptPlans):
    """Those in CLCONV_CACHE_DIR. source: the model's file. facts: all that its plans follow from, but the files beside it
    that it is read from, whose names the file of plans knows. imported: makes the graph and adds those to `read`."""

    def __init__(self, source: str, facts: Data, imported: Imported, read: Iterable[Path]) -> None:
        super().__init__(imported)
        self._source, self._facts, self._read = Path(os.path.abspath(source)), facts, read
        self._stamp, self._began = stamp_of(source), time.time()
        self._coming: collections.deque[Behind] = collections.deque()
        key = json.dumps(facts, sort_keys=True)
        name = hashlib.sha256(key.encode()).hexdigest()[:40]
        self.path = kept_path(_FOLDER, f"{name}{_ending(source)}")
        wait_for(self._source)
        self.network = self._opened()
        if self.network is not None:
            with contextlib.suppress(OSError):
                os.utime(self.path)  # the latest used are kept longest

    def find(self, specs: Specs, device: DeviceInfo) -> StoredPlan | None:
        if self.network is None:  # another process may have made it since, or is about to
            wait_for(self._source)
            self.network = self._opened()
        return super().find(specs, device)

    def _opened(self) -> StoredNetwork | None:
        """The file as it is now, if it serves."""
        try:
            check_kept(self.path)
            network = StoredNetwork(self.path, trust.objection)
            serves = network.facts["key"] == self._facts and self._has_external(network)
            return network if serves else None
        except FileNotFoundError:
            return None
        except (Unusable, KeyError, TypeError) as reason:
            self.damaged(Unusable(str(reason)))
            return None

    def _has_external(self, network: StoredNetwork) -> bool:
        folder = self._source.parent
        return all(is_same(folder / name, content) for name, content in network.facts["external"])

    def _is_unchanged(self) -> bool:
        return is_same(self._source, self._facts["content"])

    def graph(self) -> Graph:
        """The model, if it still is the one whose plans these are. Raises ModelError."""
        network = self.network
        if network is not None and not (self._is_unchanged() and self._has_external(network)):
            raise ModelError(
                f"{self._source}: has changed since it was loaded, and is needed once more: load it again"
            )
        return self.imported()

    def damaged(self, reason: Unusable) -> None:
        self.network = None
        warn_once(
            f"{self.path} {reason}; it is not used, and made anew",
            about=f"damaged {self.path.parent}",
        )
        with contextlib.suppress(OSError):
            self.path.unlink()

    def keep(self, graph: Graph, device: DeviceInfo, specs: Specs, bound: BoundPlan) -> None:
        kept = Behind(functools.partial(self._write, graph, device, specs, bound))
        self._coming.append(kept)
        kept.then(announce(str(self._source), kept.wait))

    def settle(self) -> None:
        while self._coming:
            self._coming.popleft().wait()

    def _write(self, graph: Graph, device: DeviceInfo, specs: Specs, bound: BoundPlan) -> None:
        from clconv.runtime.stored.plan_data import NotStorable

        with self._lock:
            before = self._opened()
            if before is not None and (specs in before.specs or len(before.specs) >= _PLANS):
                return
            try:
                external = self._external()
                limit = config.CACHE_SIZE.get() << 20
                wanted = bound.constants.nbytes + (
                    0 if before is None else before.blobs.status.st_size
                )
                if external is None or wanted > limit or not self._has_room(wanted):
                    return
                facts = {"key": self._facts, "external": external}
                face = before.data["face"] if before else face_data(graph)
                with writing_kept(self.path) as file:
                    head = head_data(facts, face, device)
                    write_network(file, head, [(specs, bound)], before=before)
                    if stamp_of(self._source) != self._stamp or not self._is_unchanged():
                        raise OSError("the model changed while it was loaded")
                _make_room(self.path.parent, limit)
            except (NotStorable, OSError, ConfigError, Unusable) as reason:
                say(1, f"plan not kept: {reason}")

    def _external(self) -> list[list[str]] | None:
        """The files beside the model that were read, by their names from its folder; None if they are elsewhere, or may
        have changed since."""
        folder = self._source.parent
        read, found = sorted(self._read), []
        if read and self._source.is_symlink():
            return None
        for path in (Path(os.path.abspath(p)) for p in read):
            if not path.is_relative_to(folder) or not unchanged_since(path, self._began):
                return None
            found.append([path.relative_to(folder).as_posix(), content_of(path)])
        return found

    def _has_room(self, wanted: int) -> bool:
        folder = self.path.parent
        while not folder.exists():
            folder = folder.parent
        return shutil.disk_usage(folder).free > _SPARE * wanted


def cached_plans(
    source: object,
    device: DeviceInfo,
    options: PlanOptions,
    outputs: Sequence[str] | None,
    imported: Imported,
    read: Iterable[Path],
) -> CachedPlans | None:
    """The plans of a model's file; None where nothing is kept: for what is no file, and where the variables ask to see or
    check each step.

    imported: makes the graph, and adds the files beside the model that it read to `read`.
    """
    path = _file_of(source, options)
    if path is None:
        return None
    try:
        facts = facts_of(path, device, options, outputs)
        return CachedPlans(path, facts, imported, read)
    except OSError as reason:  # the import tells
        LOGGER.debug("%s: plans are not kept (%s)", path, reason)
        return None


def is_new(source: object, options: PlanOptions) -> bool:
    """Whether a model's file will surely be planned: nobody knows what it holds, and nothing is kept of one of its size. Then a
    thread reads it from now on, as cached_plans() needs."""
    path = _file_of(source, options)
    try:
        return path is not None and not _has_kept(_ending(path)) and begin_content(path)
    except (OSError, RuntimeError):  # the import tells, or reads by itself
        return False


def _ending(path: str) -> str:
    """How the names of files of a model's plans end. Raises OSError."""
    return f"-{os.path.getsize(path)}.clconv"


def _has_kept(ending: str) -> bool:
    try:
        with os.scandir(kept_path(_FOLDER)) as entries:
            return any(entry.name.endswith(ending) for entry in entries)
    except OSError:
        return False


def _file_of(source: object, options: PlanOptions) -> str | None:
    """The file of a model whose plans are to be kept, or were."""
    is_wanted = config.CACHE_SIZE.get() and not options.guard and not is_looked_into()
    if not is_wanted or not isinstance(source, str | os.PathLike):
        return None
    path = os.fspath(source)
    is_file = isinstance(path, str) and "\0" not in path and os.path.isfile(path)
    return path if is_file else None


def _make_room(folder: Path, limit: int) -> None:
    """Removes what was used longest ago, until all fits."""
    files.remove_abandoned(folder)
    with os.scandir(folder) as entries:
        found = [(e.stat().st_mtime, e.stat().st_size, e.path) for e in entries if e.is_file()]
    total = sum(size for _, size, _ in found)
    for _, size, path in sorted(found):
        if total <= limit:
            break
        with contextlib.suppress(OSError):
            os.unlink(path)
            total -= size

"""Several models that a program is about to load: threads of it make their sessions meanwhile, and another process compiles
along with this one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future

from clconv.ahead import Path, not_kept, path_of
from clconv.api import Shapes, load
from clconv.debug import LOGGER
from clconv.device.cores import usable_cores
from clconv.device.info import DeviceInfo
from clconv.device.options import PlanOptions
from clconv.errors import ClosedError
from clconv.runtime.opencl import Helper, Job, compiled_by
from clconv.runtime.progress import Progress, silent
from clconv.session import coming
from clconv.session.session import Session


class Loading:
    """Models that load() of the same files will be asked for, which then gives the sessions that are made from now on, and
    waits for those that are not ready. `with` gives up what nobody has waited for. Nothing is done for what is kept already,
    on one core, and for other drivers than PoCL.

    PoCL compiles one program after another in a process. `here` is compiled by this one, the others by another process,
    by several where there are more cores. All are planned here, one after another, the others first: their process needs work.
    Each session keeps its planner, so that further sizes of its inputs are not planned from the start again.

    models: each with the shapes of its inputs. progress(done, all): called while this process compiles.
    """

    def __init__(
        self,
        models: Iterable[tuple[Path, Shapes]],
        device: DeviceInfo,
        here: Path,
        progress: Progress = silent,
    ) -> None:
        self._device, self._progress, self._over = device, progress, False
        shapes = {path_of(path): one for path, one in models}
        wanted = not_kept(shapes, device, None)
        own = path_of(here)
        others = [path for path in wanted if path != own]
        self._helpers = self._started(min(len(others), usable_cores() - 1))
        self._withdraw: list[Callable[[], None]] = []
        # The first of the others, then what is compiled here, then the rest.
        order = others[:1] + [path for path in wanted if path == own] + others[1:]
        before = self._busy = threading.Event()
        before.set()
        for path in order:
            helper = None
            if path != own and self._helpers:
                helper = self._helpers[others.index(path) % len(self._helpers)]
            before = self._begin(path, shapes[path], helper, before)
            if path in (own, *others[:1]):
                self._busy = before

    def __enter__(self) -> Loading:
        return self

    def __exit__(self, *reason: object) -> None:
        self._over = True
        for withdraw in self._withdraw:
            withdraw()
        for helper in self._helpers:
            helper.__exit__()

    def wait_until_busy(self) -> None:
        """Returns when compilers are at work in both processes. What the caller does in Python before would delay that."""
        self._busy.wait()

    def _started(self, count: int) -> list[Helper]:
        try:
            return [Helper(self._device) for _ in range(count)]
        except OSError as reason:
            LOGGER.info("no process compiles along: %s", reason)
            return []

    def _begin(
        self,
        path: str,
        shapes: Shapes,
        helper: Helper | None,
        before: threading.Event,
    ) -> threading.Event:
        """Starts the thread of a model, which waits for `before`. What is set when its program is about to be compiled."""
        made: Future[Session | None] = Future()
        rendered = threading.Event()

        def told(done: int, total: int) -> None:
            rendered.set()
            if helper is None or made.done():
                self._progress(done, total)

        def compiled(job: Job) -> None:
            rendered.set()
            if helper is not None:
                helper.compile(job)

        def make() -> None:
            coming.is_maker()
            before.wait()
            try:
                if self._over:
                    raise ClosedError("nobody waits for it any more")
                with compiled_by(compiled):
                    session = load(path, self._device.index, progress=told)
                    session.output_specs(shapes)
                made.set_result(session)
            except BaseException as reason:  # the same comes where it can be told
                LOGGER.info("%s was not loaded ahead: %r", path, reason)
                made.set_result(None)
            finally:
                rendered.set()

        self._withdraw += [
            coming.announce(path, made.result),
            coming.offer(path, self._device, PlanOptions.from_config(), made),
        ]
        threading.Thread(target=make, name="clconv loading", daemon=True).start()
        return rendered

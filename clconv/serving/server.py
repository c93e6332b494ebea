"""uvicorn with a graceful stop: at a signal new requests get 503, those that are at work get their answers."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import threading
from collections.abc import Iterator
from types import FrameType

import uvicorn

from clconv.serving.app import create_app
from clconv.serving.service import Service

SIGNALS = (signal.SIGINT, signal.SIGTERM)

_TICK = 0.02
_IDLE_SECONDS = (
    75  # of a connection; longer than the 60 of common proxies, which would find theirs closed
)
_LAST_SECONDS = 5  # for answers that are made to be sent, once nothing is at work any more


class Server:
    """Serves on a bound socket. grace: seconds that requests at work have after stop(); then they get 503."""

    def __init__(self, service: Service, listening: socket.socket, grace: float) -> None:
        self._service, self._socket, self._grace = service, listening, grace
        config = uvicorn.Config(
            create_app(service),
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            ws="none",
            timeout_keep_alive=_IDLE_SECONDS,
            timeout_graceful_shutdown=_LAST_SECONDS,
        )
        self._uvicorn = _Quiet(config)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self.unanswered = 0  # requests at work when the grace was over

    @property
    def started(self) -> bool:
        return bool(self._uvicorn.started)

    def run(self) -> None:
        """Until stop(), or a signal where this is the main thread. A second signal stops at once. Raises OSError if the
        port was taken since it was bound."""
        try:
            asyncio.run(self._serve())
        finally:
            self._service.close(finish=False)

    def stop(self) -> None:
        """From any thread; run() returns once all is answered."""
        self._service.admission.stopping = True
        if self._loop is not None and self._stop is not None:
            with contextlib.suppress(RuntimeError):  # it is over already
                self._loop.call_soon_threadsafe(self._stop.set)

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        with self._signals():
            stopper = asyncio.ensure_future(self._drain(self._stop))
            try:
                await self._uvicorn.serve([self._socket])
            finally:
                stopper.cancel()

    async def _drain(self, stop: asyncio.Event) -> None:
        await stop.wait()
        admission, left = self._service.admission, self._grace
        while admission.requests and left > 0 and not self._uvicorn.force_exit:
            await asyncio.sleep(_TICK)
            left -= _TICK
        self.unanswered = admission.abandon()
        self._uvicorn.should_exit = True

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def on_signal(number: int, frame: FrameType | None) -> None:
            if self._service.admission.stopping:
                self._uvicorn.force_exit = self._uvicorn.should_exit = True
            self.stop()

        before = {number: signal.signal(number, on_signal) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class _Quiet(uvicorn.Server):
    """uvicorn without its own way with signals, which ends the process by the signal."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

"""Answers to requests whose body nobody reads.

Most clients send all of a body before they look for an answer. If the server closes the connection meanwhile, the system
resets it, and the client sees that instead of the answer. So the answer is sent at once, then what comes is read and thrown
away for a while, as nginx's lingering_close does.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], _Receive, _Send], Awaitable[None]]

_SECONDS = 10.0


class Lingering:
    """An ASGI application around another. seconds: how long at most a body is thrown away."""

    def __init__(self, app: App, seconds: float = _SECONDS) -> None:
        self._app, self._seconds = app, seconds

    async def __call__(
        self, scope: MutableMapping[str, Any], receive: _Receive, send: _Send
    ) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        # A client that waits for "100 Continue" sends no body after an error.
        waits = b"expect" in headers
        has_body = b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0"
        unread = has_body

        async def received() -> _Message:
            nonlocal unread
            message = await receive()
            if message["type"] != "http.request" or not message.get("more_body", False):
                unread = False
            return message

        async def sent(message: _Message) -> None:
            if message["type"] == "http.response.start" and unread:
                message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
            is_last = message["type"] == "http.response.body" and not message.get(
                "more_body", False
            )
            if not (is_last and unread) or waits:
                await send(message)
                return
            await send({**message, "more_body": True})
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(_throw_away(), self._seconds)
            await send({"type": "http.response.body", "body": b"", "more_body": False})

        async def _throw_away() -> None:
            while unread:
                await received()

        await self._app(scope, received, sent)

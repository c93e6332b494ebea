"""Reads a request's body, no further than its limits go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

from clconv.serving.admission import AdmittedRequest
from clconv.serving.refused import Refused, bad

_TIMEOUT, _UNSUPPORTED = 408, 415


def declared_length(headers: Mapping[str, str]) -> int | None:
    """What Content-Length says; None without one. Raises Refused for what is no number, and for a compressed body."""
    coding = headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("", "identity"):
        raise Refused(_UNSUPPORTED, f"the body is compressed ({coding[:40]}); send it as it is")
    text = headers.get("content-length")
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise bad("Content-Length is no number of bytes")
    return int(text)


async def read_body(chunks: AsyncIterator[bytes], slot: AdmittedRequest, seconds: float) -> bytes:
    """The whole body. Raises Refused where it is too large or takes too long to come."""

    async def read() -> bytes:
        found = []
        async for chunk in chunks:
            slot.came(len(chunk))
            found.append(chunk)
        return b"".join(found)

    try:
        return await asyncio.wait_for(read(), seconds)
    except asyncio.TimeoutError:
        raise Refused(
            _TIMEOUT, f"the body did not come within {seconds:g} seconds; send it faster, or less"
        ) from None

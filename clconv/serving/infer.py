"""One inference request, from its headers to its answer."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import Any

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from clconv.serving.batcher import Arrays
from clconv.serving.body import declared_length, read_body
from clconv.serving.model import VERSION
from clconv.serving.request import HEADER_LENGTH, InferRequest, parse_request
from clconv.serving.response import Encoded, encode_response
from clconv.serving.service import Served, Service

# Bytes of JSON, and elements to write as JSON, for which another thread is worth its while.
_LONG = 2**15


async def infer(service: Service, served: Served, request: Request) -> Encoded:
    """The answer. Raises Refused, what the run raises, or ClientDisconnect if nobody waits for the answer any more."""
    model, limits = served.model, service.admission.limits
    with service.admission.admitted(declared_length(request.headers)) as slot:
        body = await read_body(request.stream(), slot, limits.seconds)
        asked = await _parsed(served, body, request.headers.get(HEADER_LENGTH))
        arrays, rows, kind = model.checked(asked.feeds)
        outputs = await _answer(served.batcher.submit(arrays, rows, kind), request)
        if _work(asked, outputs) < _LONG:
            return encode_response(model.name, VERSION, asked, outputs)
        return await run_in_threadpool(encode_response, model.name, VERSION, asked, outputs)


def _work(asked: InferRequest, outputs: Arrays) -> int:
    """Of writing these outputs, in elements of JSON."""
    binary = asked.binary
    return sum(outputs[n].nbytes // 64 if binary[n] else outputs[n].size for n in binary)


async def _parsed(served: Served, body: bytes, header_length: str | None) -> InferRequest:
    specs, outputs = served.model.inputs, tuple(served.model.outputs)
    if len(body) < _LONG or (header_length is not None and len(header_length) < 5):
        return parse_request(body, header_length, specs, outputs)
    return await run_in_threadpool(parse_request, body, header_length, specs, outputs)


async def _answer(answer: Future[Arrays], request: Request) -> Arrays:
    """The outputs; a client that goes away takes its request out of the queue."""
    awaited = asyncio.wrap_future(answer)
    gone = asyncio.ensure_future(_gone(request))
    both: set[asyncio.Future[Any]] = {awaited, gone}
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if not awaited.done():
            raise ClientDisconnect
        return awaited.result()
    finally:
        for one in both:
            one.cancel()


async def _gone(request: Request) -> None:
    """Until the client has closed its connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass

"""A server in a thread of this process, small models, and requests by the standard library's HTTP."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto

import clconv
from clconv.serving.model import Model
from tests.compat.models import classifier
from tests.frontend.support import model, node, value
from tests.patience import HANG, until

NAMES = {"float32": "FP32", "int64": "INT64", "bool": "BOOL", "float16": "FP16"}


def centred() -> ModelProto:
    """x (N, 4) -> y (N, 4): less the mean over the batch, so that every row depends on all."""
    return model(
        [
            node("ReduceMean", ["x"], ["m"], "mean", axes=[0], keepdims=1),
            node("Sub", ["x", "m"], ["y"], "centre"),
        ],
        [value("x", "N", 4)],
        [value("y", "N", 4)],
        opset=17,
    )


def picker() -> ModelProto:
    """table (N, 5), at (N, 1) int64 -> picked (N, 1): one element of each row, an error for one that is not there."""
    return model(
        [node("GatherElements", ["table", "at"], ["picked"], "pick", axis=1)],
        [value("table", "N", 5), value("at", "N", 1, dtype=7)],
        [value("picked", "N", 1)],
        opset=17,
    )


def served(name: str, proto: ModelProto, most_rows: int = 8) -> Model:
    made = Model(name, [clconv.load(proto.SerializeToString())], most_rows)
    made.warm()
    return made


class Client:
    """One connection. tell() sends a request and gives status, body and headers."""

    def __init__(self, port: int, token: str | None = None) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=HANG)
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}

    def tell(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes, http.client.HTTPMessage]:
        if isinstance(body, dict | list):
            body = json.dumps(body).encode()
        self._connection.request(method, path, body, {**self._headers, **(headers or {})})
        answer = self._connection.getresponse()
        return answer.status, answer.read(), answer.headers

    def get(self, path: str) -> tuple[int, Any]:
        status, body, _ = self.tell("GET", path)
        return status, json.loads(body)

    def infer(self, name: str, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The outputs, sent and received as bytes. Fails for any other answer than 200."""
        content, headers = binary_request(feeds)
        status, body, back = self.tell("POST", f"/v2/models/{name}/infer", content, headers)
        assert status == 200, body
        return outputs_of(body, back)

    def refusal(
        self, name: str, body: Any, headers: Mapping[str, str] | None = None
    ) -> tuple[int, str]:
        """Status and text of a request that must fail."""
        status, found, _ = self.tell("POST", f"/v2/models/{name}/infer", body, headers)
        assert status != 200
        return status, json.loads(found)["error"]

    def close(self) -> None:
        self._connection.close()


def json_request(feeds: Mapping[str, np.ndarray], **more: Any) -> dict[str, Any]:
    return {
        "inputs": [
            {
                "name": name,
                "shape": list(a.shape),
                "datatype": NAMES[a.dtype.name],
                "data": a.tolist(),
            }
            for name, a in feeds.items()
        ],
        **more,
    }


def binary_request(feeds: Mapping[str, np.ndarray]) -> tuple[bytes, dict[str, str]]:
    """Body and headers as tritonclient sends them."""
    inputs = [
        {
            "name": name,
            "shape": list(a.shape),
            "datatype": NAMES[a.dtype.name],
            "parameters": {"binary_data_size": a.nbytes},
        }
        for name, a in feeds.items()
    ]
    head = json.dumps({"inputs": inputs, "parameters": {"binary_data_output": True}}).encode()
    content = head + b"".join(a.tobytes() for a in feeds.values())
    return content, {"Inference-Header-Content-Length": str(len(head))}


def outputs_of(body: bytes, headers: Mapping[str, str]) -> dict[str, np.ndarray]:
    """The arrays of a response, whether its data is JSON or bytes."""
    length = int(headers.get("Inference-Header-Content-Length") or len(body))
    at, found = length, {}
    types = {protocol: numpy for numpy, protocol in NAMES.items()}
    for tensor in json.loads(body[:length])["outputs"]:
        dtype, shape = types[tensor["datatype"]], tensor["shape"]
        size = tensor.get("parameters", {}).get("binary_data_size")
        if size is None:
            found[tensor["name"]] = np.array(tensor["data"], dtype).reshape(shape)
        else:
            found[tensor["name"]] = np.frombuffer(body[at : at + size], dtype).reshape(shape)
            at += size
    assert at == len(body)
    return found


@contextlib.contextmanager
def serving(
    *models: Model, delay: float = 0.002, token: str | None = None, **limits: Any
) -> Iterator[Any]:
    """A running server as (port, service, server); stopped at the end, when it must have answered all."""
    pytest.importorskip("fastapi")
    pytest.importorskip("uvicorn")
    pytest.importorskip("prometheus_client")
    from clconv.serving.admission import Limits
    from clconv.serving.server import Server
    from clconv.serving.service import Service

    listening = socket.create_server(("127.0.0.1", 0))
    service = Service(models, Limits(**limits), delay, token)
    server = Server(service, listening, grace=HANG)
    thread = threading.Thread(target=server.run, daemon=True)
    port = listening.getsockname()[1]
    thread.start()
    until(lambda: server.started or not thread.is_alive())
    try:
        yield port, service, server
    finally:
        server.stop()
        thread.join(HANG)
    assert not thread.is_alive() and not server.unanswered


def rows(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((count, 3, 8, 8), np.float32)


__all__ = ["Client", "classifier", "serving"]

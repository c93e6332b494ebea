"""The protocol over real connections: addresses, answers, limits, the token."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="pip install 'clconv[serve]'")
pytest.importorskip("uvicorn", reason="pip install 'clconv[serve]'")
pytest.importorskip("prometheus_client", reason="pip install 'clconv[serve]'")

from clconv.serving.model import Model
from tests.predictor.support import doubler
from tests.serving.support import (
    Client,
    binary_request,
    classifier,
    json_request,
    outputs_of,
    rows,
    served,
    serving,
    until,
)

INFER = "/v2/models/double/infer"
FOUR = {"x": np.arange(4, dtype=np.float32)[None]}


@pytest.fixture(scope="module")
def models() -> list[Model]:
    return [served("double", doubler()), served("classify", classifier())]


@pytest.fixture(scope="module")
def port(models: list[Model]) -> Iterator[int]:
    with serving(*models, body=2**20) as (found, _, _):
        yield found


@pytest.fixture
def client(port: int) -> Iterator[Client]:
    made = Client(port)
    yield made
    made.close()


def test_health_and_metadata(client: Client) -> None:
    assert client.get("/v2/health/live") == (200, {"live": True})
    assert client.get("/v2/health/ready") == (200, {"ready": True})
    status, server = client.get("/v2")
    assert status == 200 and server["extensions"] == ["binary_tensor_data"]
    for path in ("/v2/models/double/ready", "/v2/models/double/versions/1/ready"):
        assert client.get(path) == (200, {"name": "double", "ready": True})
    for path in ("/v2/models/classify", "/v2/models/classify/versions/1"):
        assert client.get(path) == (
            200,
            {
                "name": "classify",
                "versions": ["1"],
                "platform": "onnx_clconv",
                "inputs": [{"name": "image", "datatype": "FP32", "shape": [-1, 3, 8, 8]}],
                "outputs": [{"name": "scores", "datatype": "FP32", "shape": [-1, 10]}],
            },
        )


@pytest.mark.parametrize(
    "path",
    ["/v2/models/other", "/v2/models/other/ready", "/v2/models/double/versions/2", "/v3", "/docs", "/openapi.json"],
)  # fmt: skip
def test_what_is_not_there(client: Client, path: str) -> None:
    status, found = client.get(path)
    assert status == 404 and found["error"]


def test_inference_in_json_and_bytes(client: Client, models: list[Model]) -> None:
    x = rows(3)
    wanted = models[1].sessions[0].run({"image": x})["scores"]
    asked = json_request({"image": x}, id="mine")
    status, body, headers = client.tell("POST", "/v2/models/classify/versions/1/infer", asked)
    assert status == 200 and headers["Content-Type"] == "application/json"
    document = json.loads(body)
    assert (document["id"], document["model_name"], document["model_version"]) == (
        "mine",
        "classify",
        "1",
    )
    np.testing.assert_allclose(outputs_of(body, headers)["scores"], wanted, rtol=1e-5)
    found = client.infer("classify", {"image": x})["scores"]
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


@pytest.mark.parametrize(
    "body, headers, status, said",
    [
        (b"nonsense", {}, 400, "no JSON"),
        (json_request({"x": np.zeros((1, 5), np.float32)}), {}, 400, "'x' takes"),
        (json_request({"x": np.zeros(4, np.float32)}), {}, 400, "x[None]"),
        (json_request({"x": np.zeros((1, 4), np.int64)}), {}, 400, "FP32"),
        (json_request({"y": np.zeros((1, 4), np.float32)}), {}, 400, "no input 'y'"),
        (json_request({"x": np.zeros((0, 4), np.float32)}), {}, 400, "no rows"),
        (json_request(FOUR), {"Inference-Header-Content-Length": "-3"}, 400, "number of bytes"),
        (json_request(FOUR), {"Content-Encoding": "gzip"}, 415, "compressed"),
        (b" " * (2**20 + 1), {}, 413, "larger than 1,048,576 bytes"),
    ],
)
def test_bad_requests(
    client: Client, body: Any, headers: dict[str, str], status: int, said: str
) -> None:
    found, text = client.refusal("double", body, headers)
    assert found == status and said in text, text
    client.close()
    assert client.infer("double", FOUR)["y"][0, 3] == 7, "the next one is answered"


def test_unknown_model_and_method(client: Client) -> None:
    assert client.refusal("other", b" " * 2**22) == (
        404,
        "there is no model 'other'; this server has double, classify",
    )
    client.close()
    status, body, _ = client.tell("GET", INFER)
    assert status == 405 and b"error" in body


def test_a_body_too_large_is_refused_before_it_is_sent(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), 20) as raw:
        raw.sendall(
            f"POST {INFER} HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n".encode()
        )
        assert raw.recv(4096).startswith(b"HTTP/1.1 413 ")


def test_a_body_in_chunks_is_refused_where_the_limit_is(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), 20) as raw:
        raw.sendall(
            f"POST {INFER} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        )
        chunk = b"10000\r\n" + b" " * 2**16 + b"\r\n"
        for _ in range(17):  # no end of the body comes
            raw.sendall(chunk)
        assert raw.recv(4096).startswith(b"HTTP/1.1 413 ")


def test_a_body_in_chunks(client: Client) -> None:
    content, headers = binary_request(FOUR)
    parts = iter([content[:10], content[10:-3], content[-3:]])
    status, body, back = client.tell("POST", INFER, parts, headers)
    assert status == 200 and outputs_of(body, back)["y"][0, 3] == 7


def test_a_client_that_goes_away(port: int, client: Client) -> None:
    """In the middle of its body, or before its answer."""
    content, headers = binary_request(FOUR)
    head = "".join(f"{k}: {v}\r\n" for k, v in headers.items())
    for sent in (len(content), len(content) // 2):
        with socket.create_connection(("127.0.0.1", port), 20) as raw:
            start = (
                f"POST {INFER} HTTP/1.1\r\nHost: a\r\n{head}Content-Length: {len(content)}\r\n\r\n"
            )
            raw.sendall(start.encode() + content[:sent])
    assert client.infer("double", FOUR)["y"][0, 3] == 7


def test_a_body_that_does_not_come(models: list[Model]) -> None:
    with serving(models[0], seconds=0.2) as (port, service, _):
        with socket.create_connection(("127.0.0.1", port), 20) as raw:
            raw.sendall(
                f"POST {INFER} HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n123".encode()
            )
            assert raw.recv(4096).startswith(b"HTTP/1.1 408 ")
        assert service.admission.requests == service.admission.held == 0


def test_a_full_house(models: list[Model]) -> None:
    """Two requests may be at work: one more is refused before its body is read, and answered later."""
    with serving(models[0], requests=2) as (port, service, _):
        slow = [socket.create_connection(("127.0.0.1", port), 20) for _ in range(2)]
        for raw in slow:
            raw.sendall(
                f"POST {INFER} HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12".encode()
            )
        until(lambda: service.admission.requests == 2)
        client = Client(port)
        status, body, headers = client.tell("POST", INFER, b" " * 2**22)
        assert status == 503 and headers["Retry-After"] == "1" and b"--max-queue" in body
        for raw in slow:
            raw.close()
        until(lambda: service.admission.requests == 0)
        assert client.infer("double", FOUR)["y"][0, 3] == 7


def test_bytes_of_all_requests(models: list[Model]) -> None:
    with serving(models[0], body=1000, bytes=1000) as (port, service, _):
        with socket.create_connection(("127.0.0.1", port), 20) as raw:
            raw.sendall(f"POST {INFER} HTTP/1.1\r\nHost: a\r\nContent-Length: 900\r\n\r\n".encode())
            until(lambda: service.admission.held == 900)
            client = Client(port)
            assert client.refusal("double", b" " * 200)[0] == 503
        until(lambda: service.admission.held == 0)
        assert client.refusal("double", b" " * 200)[0] == 400


def test_the_token(models: list[Model]) -> None:
    with serving(models[0], token="open-sesame") as (port, _, _):
        for path in ("/v2/health/live", "/v2/health/ready"):
            assert Client(port).get(path)[0] == 200
        for wrong in (None, "", "open", "open-sesame-", "öffne"):
            headers = {} if wrong is None else {"Authorization": f"Bearer {wrong}".encode()}
            for method, path in (
                ("GET", "/v2"),
                ("GET", "/metrics"),
                ("GET", "/v2/models/x"),
                ("POST", INFER),
            ):
                status, body, back = Client(port).tell(method, path, b" " * 9, headers)  # type: ignore[arg-type]
                assert status == 401 and back["WWW-Authenticate"] == "Bearer" and b"token" in body
        basic = {"Authorization": "Basic open-sesame"}
        assert Client(port).tell("GET", "/v2", None, basic)[0] == 401
        right = Client(port, "open-sesame")
        assert right.get("/v2")[0] == 200 and right.infer("double", FOUR)["y"][0, 3] == 7

"""Requests at work: what the metrics say of them, and what becomes of them when a run fails, the server stops, or their
client goes away."""

from __future__ import annotations

import socket
import threading
from typing import Any

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="pip install 'clconv[serve]'")
pytest.importorskip("uvicorn", reason="pip install 'clconv[serve]'")
pytest.importorskip("prometheus_client", reason="pip install 'clconv[serve]'")

from clconv.serving.model import Model
from tests.patience import HANG
from tests.predictor.support import doubler
from tests.serving.support import Client, binary_request, json_request, served, serving, until

INFER = "/v2/models/double/infer"
FOUR = {"x": np.arange(4, dtype=np.float32)[None]}


@pytest.fixture(scope="module")
def models() -> list[Model]:
    return [served("double", doubler())]


class Held:
    """A model's runs wait until they are let go."""

    def __init__(self, model: Model, patch: pytest.MonkeyPatch) -> None:
        real, self.go, self._begun = model.sessions[0].run, threading.Event(), threading.Event()

        def run(feeds: Any) -> Any:
            self._begun.set()
            assert self.go.wait(HANG)
            return real(feeds)

        patch.setattr(model.sessions[0], "run", run)

    def begin(self) -> None:
        """Until the first run waits."""
        assert self._begun.wait(HANG)


def test_metrics(models: list[Model], monkeypatch: pytest.MonkeyPatch) -> None:
    held = Held(models[0], monkeypatch)
    with serving(models[0]) as (port, service, _):
        threads = [
            threading.Thread(target=lambda: Client(port).infer("double", FOUR)) for _ in range(9)
        ]
        threads[0].start()
        held.begin()
        for thread in threads[1:]:
            thread.start()
        until(lambda: service.served["double"].batcher.waiting == 8)
        held.go.set()
        for thread in threads:
            thread.join(HANG)
        Client(port).refusal("double", b"")
        Client(port).refusal("unknown", b"")
        status, body, headers = Client(port).tell("GET", "/metrics")
    text = body.decode()
    assert status == 200 and headers["Content-Type"].startswith("text/plain")
    for line in (
        'clconv_requests_total{model="double",status="200"} 9.0',
        'clconv_requests_total{model="double",status="400"} 1.0',
        'clconv_requests_total{model="",status="404"} 1.0',
        'clconv_request_seconds_count{model="double"} 9.0',
        'clconv_queue_seconds_count{model="double"} 9.0',
        'clconv_batch_rows_sum{model="double"} 9.0',
        'clconv_batch_rows_count{model="double"} 2.0',
        "clconv_requests_at_work 0.0",
    ):
        assert line in text.splitlines(), text
    assert "unknown" not in text, "what clients make up must not become labels"


def test_an_error_inside_tells_nothing_of_the_machine(
    models: list[Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models[0].sessions[0], "run", lambda feeds: 1 / 0)
    with serving(models[0]) as (port, _, _):
        status, text = Client(port).refusal("double", json_request(FOUR))
        assert status == 500 and "division" not in text and "log" in text
        assert Client(port).get("/v2/health/ready")[0] == 200


def test_stop_answers_what_is_at_work_and_refuses_more(
    models: list[Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(models[0], monkeypatch)
    with serving(models[0]) as (port, service, server):
        answers: list[float] = []
        at_work = [
            threading.Thread(
                target=lambda: answers.append(Client(port).infer("double", FOUR)["y"][0, 3])
            )
            for _ in range(3)
        ]
        at_work[0].start()
        held.begin()
        for thread in at_work[1:]:
            thread.start()
        until(lambda: service.served["double"].batcher.waiting == 2)
        server.stop()
        late = Client(port)
        status, text = late.refusal("double", json_request(FOUR))
        assert status == 503 and "stops" in text
        assert late.get("/v2/health/live")[0] == 200
        assert Client(port).get("/v2/health/ready") == (503, {"ready": False})
        assert Client(port).get("/v2/models/double/ready")[0] == 503
        held.go.set()
        for thread in at_work:
            thread.join(HANG)
        assert answers == [7, 7, 7]


def test_who_does_not_wait_for_the_answer_is_not_run(
    models: list[Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(models[0], monkeypatch)
    content, headers = binary_request(FOUR)
    lines = "".join(f"{k}: {v}\r\n" for k, v in headers.items())
    start = f"POST {INFER} HTTP/1.1\r\nHost: a\r\n{lines}Content-Length: {len(content)}\r\n\r\n"
    with serving(models[0]) as (port, service, _):
        first = threading.Thread(target=lambda: Client(port).infer("double", FOUR))
        first.start()
        held.begin()
        with socket.create_connection(("127.0.0.1", port), HANG) as raw:
            raw.sendall(start.encode() + content)
            until(lambda: service.served["double"].batcher.waiting == 1)
        until(lambda: service.admission.requests == 1)
        held.go.set()
        first.join(HANG)
        Client(port).infer("double", FOUR)
        text = Client(port).tell("GET", "/metrics")[1].decode()
    assert 'clconv_batch_rows_sum{model="double"} 2.0' in text
    assert 'clconv_requests_total{model="double",status="499"} 1.0' in text

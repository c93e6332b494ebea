"""Many clients at once, good and bad requests among each other: no lost answer, and the right one to each."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import clconv
from clconv.serving.model import Model
from tests.compat.models import brightener, fixed
from tests.patience import HANG
from tests.serving.support import (
    Client,
    binary_request,
    centred,
    classifier,
    json_request,
    picker,
    served,
    serving,
)

CLIENTS, REQUESTS = 16, 30
Feeds = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def models() -> dict[str, Model]:
    protos = {
        "open": classifier(),
        "four": fixed(4),
        "pictures": brightener(),
        "mixed": centred(),
        "pick": picker(),
    }
    return {name: served(name, proto) for name, proto in protos.items()}


@pytest.fixture(scope="module")
def port(models: dict[str, Model]) -> Iterator[int]:
    with serving(*models.values()) as (found, _, _):
        yield found


def feeds_for(name: str, number: int) -> Feeds:
    """Random, of one to three rows; pictures of three sizes."""
    make = np.random.default_rng(number)
    count = 1 + number % 3
    if name == "pick":
        at = make.integers(0, 5, (count, 1))
        return {"table": make.random((count, 5), np.float32), "at": at}
    if name == "mixed":
        return {"x": make.random((count, 4), np.float32)}
    size = (4, 5, 7)[number % 3] if name == "pictures" else 8
    key = {"open": "image", "four": "x", "pictures": "picture"}[name]
    return {key: make.random((count, 3, size, size), np.float32)}


def alone(model: Model, feeds: Feeds) -> Feeds:
    """What the session gives for this request and no other."""
    arrays, _, _ = model.checked(feeds)
    if model.name == "mixed":
        return model.sessions[0].run(arrays)
    (found,) = model.sessions[0].run_batches([arrays])
    return found


def spoiled(feeds: Feeds, number: int) -> tuple[Any, dict[str, str]]:
    """A bad request of some kind."""
    name, array = next(iter(feeds.items()))
    content, headers = binary_request(feeds)
    wrong: list[Callable[[], tuple[Any, dict[str, str]]]] = [
        lambda: (content[:-3], headers),
        lambda: (b"{", {}),
        lambda: (json_request({**feeds, name: array.astype(np.float16)}), {}),
        lambda: (json_request({**feeds, name: array[0]}), {}),
        lambda: (json_request({**feeds, "stranger": array}), {}),
        lambda: (content, {"Inference-Header-Content-Length": "1"}),
    ]
    return wrong[number % len(wrong)]()


def in_threads(work: Callable[[int], None]) -> None:
    """Runs work(i) in each of many threads; the first failure fails the test."""
    failures: list[BaseException] = []

    def guarded(i: int) -> None:
        try:
            work(i)
        except BaseException as reason:
            failures.append(reason)

    threads = [threading.Thread(target=guarded, args=(i,)) for i in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(HANG)
    assert not any(thread.is_alive() for thread in threads)
    if failures:
        raise failures[0]


def agrees(found: Feeds, wanted: Feeds) -> None:
    assert found.keys() == wanted.keys()
    for name, array in wanted.items():
        assert found[name].shape == array.shape
        np.testing.assert_allclose(found[name], array, rtol=1e-4, atol=1e-5)


def test_plain_http(models: dict[str, Model], port: int) -> None:
    seen: Counter[int] = Counter()

    def work(i: int) -> None:
        client, choose = Client(port), random.Random(i)
        for j in range(REQUESTS):
            number = i * REQUESTS + j
            name = choose.choice(list(models))
            feeds = feeds_for(name, number)
            if choose.random() < 0.25:
                status, text = client.refusal(name, *spoiled(feeds, number))
                assert status == 400 and text
            else:
                agrees(client.infer(name, feeds), alone(models[name], feeds))
                status = 200
            seen[status] += 1

    in_threads(work)
    assert seen.total() == CLIENTS * REQUESTS and min(seen.values()) > 50


def test_tritonclient(models: dict[str, Model], port: int) -> None:
    triton = pytest.importorskip("tritonclient.http", reason="pip install 'tritonclient[http]'")
    from tritonclient.utils import InferenceServerException, np_to_triton_dtype

    seen: Counter[str] = Counter()

    def tensors(feeds: Feeds, binary: bool) -> list[Any]:
        made = []
        for name, array in feeds.items():
            made.append(triton.InferInput(name, array.shape, np_to_triton_dtype(array.dtype)))
            made[-1].set_data_from_numpy(array, binary_data=binary)
        return made

    def work(i: int) -> None:
        client, choose = triton.InferenceServerClient(f"127.0.0.1:{port}"), random.Random(i)
        for j in range(REQUESTS):
            number = i * REQUESTS + j
            name = choose.choice(list(models))
            model, feeds = models[name], feeds_for(name, number)
            binary = [choose.random() < 0.7 for _ in model.outputs]
            if choose.random() < 0.25:
                first = next(iter(feeds))
                feeds[first] = feeds[first][0] if number % 2 else feeds[first].astype(np.float64)
                with pytest.raises(InferenceServerException) as found:
                    client.infer(name, tensors(feeds, True))
                assert found.value.status() == "400"
                seen["bad"] += 1
                continue
            outputs = [
                triton.InferRequestedOutput(n, binary_data=b)
                for n, b in zip(model.outputs, binary, strict=True)
            ]
            sent = tensors(feeds, choose.random() < 0.7)
            answer = client.infer(
                name, sent, outputs=choose.choice([None, outputs]), request_id=str(number)
            )
            assert answer.get_response()["id"] == str(number)
            agrees({n: answer.as_numpy(n) for n in model.outputs}, alone(model, feeds))
            seen["good"] += 1
        client.close()

    in_threads(work)
    assert seen.total() == CLIENTS * REQUESTS and min(seen.values()) > 50


def test_tritonclient_sees_the_server(port: int) -> None:
    triton = pytest.importorskip("tritonclient.http", reason="pip install 'tritonclient[http]'")
    client = triton.InferenceServerClient(f"127.0.0.1:{port}")
    assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("four")
    assert not client.is_model_ready("five")
    assert client.get_server_metadata()["version"] == clconv.__version__
    assert client.get_model_metadata("four")["inputs"][0]["shape"] == [-1, 3, 8, 8]
    client.close()

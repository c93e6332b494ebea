"""A session of the stand-in goes with the last reference to it, and with it what it holds on the device."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator

import numpy as np
import pytest

from clconv.compat.onnxruntime import InferenceSession, SessionOptions
from tests.compat.models import classifier
from tests.patience import HANG

BYTES = classifier().SerializeToString()


@pytest.fixture(autouse=True)
def without_the_cycle_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("way", ["run", "bound", "profiled", "async", "meta"])
def test_a_session_goes_at_once(
    way: str, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("profiles"))
    options = SessionOptions()
    options.enable_profiling = way == "profiled"
    session = InferenceSession(BYTES, options)
    (given,) = session.get_inputs()
    shape = [n if isinstance(n, int) else 1 for n in given.shape]
    x = np.zeros(shape, np.float32)
    meta = session.get_modelmeta() if way == "meta" else None
    if way == "bound":
        binding = session.io_binding()
        binding.bind_cpu_input(given.name, x)
        for output in session.get_outputs():
            binding.bind_output(output.name)
        session.run_with_iobinding(binding)
        del binding
    elif way == "async":
        told = threading.Event()
        session.run_async(None, {given.name: x}, lambda results, data, error: told.set(), None)
        assert told.wait(HANG)
        session._threads.shutdown(wait=True)  # the thread has let go of what it ran
    else:
        session.run(None, {given.name: x})
    if way == "profiled":
        session.end_profiling()
    inside = session._session
    bound = inside.prepare({given.name: x.shape})
    held = [session, inside, bound, inside._shared.prepared.queue, inside.graph]
    gone = [weakref.ref(one) for one in held]
    del session, inside, bound, held, given
    assert [ref() for ref in gone] == [None] * len(gone)
    assert meta is None or meta.graph_name  # what was asked for stays

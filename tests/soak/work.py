"""What the processes of these tests do. Run as python -m tests.soak.work WORK DEVICE NUMBER."""

from __future__ import annotations

import hashlib
import itertools
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable

import numpy as np

from clconv.api import load
from clconv.graph.ir import Graph
from clconv.graph.reference import run_reference
from clconv.layers import Conv2d, Dense, Flatten, MaxPool2d, Relu, Sequential
from clconv.runtime.check import relative_error
from clconv.session.session import Session

_AGAIN = 60.0  # seconds until an interrupt counts as dropped


def network(number: int = 0) -> Graph:
    """A small network; each number has kernels of its own."""
    layers = Sequential(
        Conv2d(8 + number, 3, padding="same"), Relu(), MaxPool2d(2), Flatten(), Dense(7)
    )
    return layers.build((3, 12, 12), batch=None, seed=number)


def picture(batch: int = 2) -> np.ndarray:
    return np.random.default_rng(batch).uniform(-1, 1, (batch, 3, 12, 12)).astype(np.float32)


def assert_right(session: Session, graph: Graph, batch: int = 2) -> None:
    feeds = {"input": picture(batch)}
    expected = run_reference(graph, feeds)["output"]
    assert relative_error(session.run(feeds)["output"], expected) < 2e-5


def once(device: str, number: int) -> None:
    """Loads, runs, prints what came out."""
    session = load(network(number), device)
    assert_right(session, network(number))
    print(hashlib.sha256(session.run({"input": picture()})["output"].tobytes()).hexdigest())


def each(device: str, count: int) -> None:
    """Of so many networks, one after another."""
    for number in range(count):
        once(device, number)


def in_threads(device: str, count: int) -> None:
    """As many threads find the device, load and run at once, nothing being there yet: networks of their own, and one
    that all load."""
    start, failures = threading.Barrier(count), []

    def work(number: int) -> None:
        try:
            start.wait()
            for which in (number % 4, 0):
                assert_right(load(network(which), device), network(which), 1 + number % 3)
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    print("right")


def interrupted(device: str, count: int) -> None:
    """An interrupt somewhere in a load, a first run of a size, or a run, as often as said: KeyboardInterrupt comes out
    and nothing else, and everything goes on. One that comes when all is done is tried again in half the time, so that
    the moments spread over what the work takes here and now."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    chance = random.Random(7)
    graph = network()
    session = load(graph, device)
    assert_right(session, graph)

    def load_another(i: int) -> None:
        load(network(i % 50 + 1), device).run({"input": picture()})

    def new_size(i: int) -> None:
        session.run({"input": picture(i % 200 + 3)})

    def runs(i: int) -> None:
        while True:
            session.run({"input": picture()})

    longest: dict[Callable[[int], None], float] = {load_another: 0.6, new_size: 0.06, runs: 0.02}
    works, numbers = list(longest), itertools.count()
    for i in range(count):
        work = works[i % 3]
        delay = chance.uniform(0, longest[work])
        while not _met(work, next(numbers), delay):
            delay /= 2
        assert_right(session, graph)
    print(f"right after {count}")


def _met(work: Callable[[int], None], number: int, delay: float) -> bool:
    """Whether an interrupt that comes so many seconds later meets work. One that Python drops, as it does in finalisers,
    comes again, and what is said of it then fails the test."""
    done, heard = False, threading.Event()

    def interrupt() -> None:
        wait = delay
        while not heard.wait(wait):
            os.kill(os.getpid(), signal.SIGINT)
            wait = _AGAIN

    thread = threading.Thread(target=interrupt)
    try:
        thread.start()
        work(number)
        done = True
        while True:  # until it comes
            time.sleep(0.01)
    except KeyboardInterrupt:
        heard.set()
        thread.join()
        return not done


WORKS = {"once": once, "each": each, "threads": in_threads, "interrupted": interrupted}

if __name__ == "__main__":
    WORKS[sys.argv[1]](sys.argv[2], int(sys.argv[3]))

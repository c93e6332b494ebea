"""What onnxruntime writes where `enable_profiling` is set: when the model was loaded and run, and each of its nodes, for
chrome://tracing and the scripts that read it."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clconv.compat.onnxruntime.surroundings import OPENCL_PROVIDER
from clconv.compat.onnxruntime.types import type_name
from clconv.errors import warn_once
from clconv.graph.ir import Graph, Node
from clconv.planning.plan import Plan
from clconv.probes.clock_probe import verified_clock
from clconv.profiling.elapsed import elapsed_by_call
from clconv.profiling.recorder import Recorder
from clconv.runtime.stamps import Executed
from clconv.session.session import Session
from clconv.store.files import write

_MOST_EVENTS = 1_000_000  # as onnxruntime keeps


class Profile:
    """Times what is done `with profile.event(name)` until it ends, and the nodes of runs."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self.begin = time.time_ns()
        self._begin = time.perf_counter()
        self._events: list[dict[str, object]] | None = []
        self._recorder: Recorder | None = None
        self._lock = threading.Lock()  # one run at a time: time stamps have one place

    @property
    def is_over(self) -> bool:
        return self._events is None

    @contextlib.contextmanager
    def event(self, name: str) -> Iterator[None]:
        begin = time.perf_counter()
        try:
            yield
        finally:
            self._add("Session", name, begin, time.perf_counter() - begin, {})

    def run(self, session: Session, feeds: Any, outputs: list[str]) -> dict[str, Any]:
        """Session.run() with each node's time."""
        with self._lock, self.event("model_run"):
            if self.is_over:  # since it was asked for
                return session.run(feeds, outputs)
            if self._recorder is None:
                self._recorder = Recorder(verified_clock(session.device))
            try:
                with self.event("SequentialExecutor::Execute"):
                    return session.run_by(feeds, self._recorder, outputs)
            finally:
                for executed in self._recorder.taken():
                    self._add_nodes(executed)

    def _add_nodes(self, executed: Executed) -> None:
        """One event a node, however many kernels it takes. Their times add up to that in which any kernel ran."""
        plan, elapsed = executed.plan, elapsed_by_call(executed.ran)
        begins: dict[str, float] = {}
        seconds: dict[str, float] = {}
        for ran in executed.ran:
            name = plan.calls[ran.call].node
            begins[name] = min(begins.get(name, ran.ready), ran.ready)
        for call, took in elapsed.items():
            name = plan.calls[call].node
            seconds[name] = seconds.get(name, 0.0) + took
        nodes = {node.name: (i, node) for i, node in enumerate(plan.graph.nodes)}
        for name, begin in begins.items():
            arguments = _arguments(plan, *nodes[name]) if name in nodes else _conversion()
            self._add("Node", f"{name}_kernel_time", begin, seconds[name], arguments)

    def _add(
        self, category: str, name: str, begin: float, seconds: float, arguments: dict[str, Any]
    ) -> None:
        events = self._events
        if events is None:
            return
        if len(events) >= _MOST_EVENTS:
            warn_once(f"the profile is full: no more than {_MOST_EVENTS:,} events are kept")
            return
        events.append(
            {
                "cat": category,
                "pid": os.getpid(),
                "tid": threading.get_native_id(),
                "dur": round(seconds * 1e6),
                "ts": round((begin - self._begin) * 1e6),
                "ph": "X",
                "name": name,
                "args": arguments,
            }
        )

    def end(self) -> str:
        """Writes the file and returns its name; "" if it is written already. Raises OSError."""
        with self._lock:
            events, self._events = self._events, None
            self._recorder = None
        if events is None:
            return ""
        now = datetime.datetime.now()
        name = f"{self._prefix}_{now:%Y-%m-%d_%H-%M-%S}_{now.microsecond // 1000:03}.json"
        write(Path(name), json.dumps(events))
        return name


def _arguments(plan: Plan, index: int, node: Node) -> dict[str, Any]:
    """As onnxruntime describes a node, less its own memory and threads. Numbers are text there."""
    graph = plan.graph
    inputs = [name for name in node.inputs if name]
    outputs = [name for name in node.outputs if name]
    constant = [name for name in inputs if name in graph.constants]
    moving = [name for name in inputs if name not in graph.constants]
    return {
        "op_name": node.op,
        "provider": OPENCL_PROVIDER,
        "node_index": str(index),
        "input_type_shape": _types(graph, inputs),
        "output_type_shape": _types(graph, outputs),
        "parameter_size": str(_bytes(graph, constant)),
        "activation_size": str(_bytes(graph, moving)),
        "output_size": str(_bytes(graph, outputs)),
    }


def _conversion() -> dict[str, Any]:
    """Of a change of layout, which is no node of the model."""
    return {"op_name": "ReorderLayout", "provider": OPENCL_PROVIDER}


def _types(graph: Graph, names: list[str]) -> list[dict[str, list[Any]]]:
    specs = [graph.spec(name) for name in names]
    kinds = [type_name(spec.dtype).removeprefix("tensor(").removesuffix(")") for spec in specs]
    return [{kind: list(spec.shape)} for kind, spec in zip(kinds, specs, strict=True)]


def _bytes(graph: Graph, names: list[str]) -> int:
    return sum(graph.spec(name).nbytes for name in names)

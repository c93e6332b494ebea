"""What Prometheus reads: how many requests, how long they took and waited, and how full the batches are."""

from __future__ import annotations

from collections.abc import Callable

import prometheus_client as prometheus

from clconv.serving.batcher import BatchRun

CONTENT_TYPE = prometheus.CONTENT_TYPE_LATEST

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
OTHER = ""  # the model of requests for one that is not there


class Metrics:
    """Of one server, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = prometheus.CollectorRegistry()
        self._requests = prometheus.Counter(
            "clconv_requests", "Inference requests by HTTP status.", ["model", "status"],
            registry=self.registry,
        )  # fmt: skip
        self._seconds = self._histogram(
            "request_seconds",
            "From a request's headers to its answer, of those that were answered with 200.",
        )
        self._waited = self._histogram(
            "queue_seconds", "From a request's arrival in the queue to its run."
        )
        self._runs = self._histogram("run_seconds", "Of a batch on the device, copies included.")
        self._rows = self._histogram("batch_rows", "Rows that ran together.", _ROWS)

    def _histogram(
        self, name: str, text: str, buckets: tuple[float, ...] = _SECONDS
    ) -> prometheus.Histogram:
        """By model."""
        return prometheus.Histogram(
            f"clconv_{name}", text, ["model"], buckets=buckets, registry=self.registry
        )

    def gauge(self, name: str, text: str, value: Callable[[], float]) -> None:
        """A number that is looked up when it is asked for."""
        prometheus.Gauge(name, text, registry=self.registry).set_function(value)

    def ran(self, model: str) -> Callable[[BatchRun], None]:
        """What a model's batcher tells its batches."""

        def on_batch(ran: BatchRun) -> None:
            self._rows.labels(model).observe(ran.rows)
            self._runs.labels(model).observe(ran.seconds)
            for seconds in ran.waited:
                self._waited.labels(model).observe(seconds)

        return on_batch

    def answered(self, model: str, status: int, seconds: float) -> None:
        self._requests.labels(model, str(status)).inc()
        if status == 200:
            self._seconds.labels(model).observe(seconds)

    def text(self) -> bytes:
        """In Prometheus's text format."""
        return prometheus.generate_latest(self.registry)

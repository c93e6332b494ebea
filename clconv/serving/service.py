"""What the application serves: models with their queues, limits, metrics and the token."""

from __future__ import annotations

import dataclasses
import hmac
from collections.abc import Sequence

from clconv.serving.admission import Admission, Limits
from clconv.serving.batcher import Batcher, RunBatch
from clconv.serving.metrics import Metrics
from clconv.serving.model import Model
from clconv.serving.refused import NOT_FOUND, Refused
from clconv.session.session import Session


@dataclasses.dataclass(frozen=True)
class Served:
    model: Model
    batcher: Batcher


class Service:
    """models: with different names. delay: seconds that a request may wait for others to fill its batch. token: what
    clients must send as `Authorization: Bearer`, None for nothing. close() ends the threads."""

    def __init__(
        self, models: Sequence[Model], limits: Limits, delay: float, token: str | None = None
    ) -> None:
        self.admission, self.metrics, self._token = Admission(limits), Metrics(), token
        self.served = {m.name: Served(m, self._batcher(m, delay)) for m in models}
        admission = self.admission
        self.metrics.gauge(
            "clconv_requests_at_work",
            "Requests that are read, wait or run.",
            lambda: admission.requests,
        )
        self.metrics.gauge(
            "clconv_requests_waiting",
            "Requests that no device has taken yet.",
            lambda: sum(one.batcher.waiting for one in self.served.values()),
        )

    def _batcher(self, model: Model, delay: float) -> Batcher:
        def on(session: Session) -> RunBatch:
            return lambda items, kind: model.run(session, items, kind)

        runs = [on(session) for session in model.sessions]
        return Batcher(runs, model.sizes, delay, self.metrics.ran(model.name))

    def find(self, name: str) -> Served:
        """Raises Refused for a model that is not served."""
        found = self.served.get(name)
        if found is None:
            raise Refused(
                NOT_FOUND, f"there is no model '{name}'; this server has {', '.join(self.served)}"
            )
        return found

    def is_ready(self, name: str | None = None) -> bool:
        """Whether requests for a model, or for all of them, are taken and answered."""
        asked = self.served.values() if name is None else [self.find(name)]
        return not self.admission.stopping and all(one.batcher.works for one in asked)

    def allows(self, authorization: str | None) -> bool:
        """Whether a request with this Authorization header may come in; takes as long for any wrong token."""
        if self._token is None:
            return True
        scheme, _, given = (authorization or "").partition(" ")
        right = hmac.compare_digest(given.strip().encode(), self._token.encode())
        return right and scheme.lower() == "bearer"

    def close(self, finish: bool = True) -> None:
        """finish: whether requests that wait are run first."""
        self.admission.stopping = True
        for one in self.served.values():
            one.batcher.close(finish)

"""The process that tries mutants: numbers come on standard input, lines of JSON go back.

A process of its own, because a mutant may take all the memory, hang, or kill it. --paper: without a device.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from pathlib import Path

import numpy as np

import clconv
from tests.fuzz.attempt import Load, attempt
from tests.fuzz.compare import difference
from tests.fuzz.paper import Paper
from tests.fuzz.seeds import seed

MOST_TRIPS = 1000  # of a Loop: a mutant's may be endless
MEMORY = 2 << 30  # bytes beyond what a warm process has


def _limit_memory() -> None:
    """No more addresses than are taken already and MEMORY more; where the system can limit them."""
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (ImportError, OSError):
        return
    most = pages * os.sysconf("SC_PAGE_SIZE") + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _warm_up(load: Load) -> None:
    """Everything is imported and a device open."""
    first = seed(0)
    assert first is not None
    data = first.model.SerializeToString()
    results = load(data).run(first.feeds)
    assert all(np.isfinite(r).all() for r in results.values())
    assert not difference(data, first.feeds, results)


def main() -> None:
    # What native code prints may not come between the lines.
    lines = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    os.environ.setdefault("CLCONV_LOOP_LIMIT", str(MOST_TRIPS))

    def tell(**what: object) -> None:
        lines.write(json.dumps(what) + "\n")
        lines.flush()

    paper = "--paper" in sys.argv
    load = Paper if paper else clconv.load
    _warm_up(load)
    _limit_memory()
    tell(ready=True)
    for line in sys.stdin:
        number = int(line)
        outcome = attempt(number, lambda name, history: tell(stage=name, history=history), load)
        tell(status=outcome.status, detail=outcome.detail[:2000], history=outcome.history)


if __name__ == "__main__":
    main()

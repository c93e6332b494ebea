"""python -m tests.fuzz FIRST LAST: tries the mutants of these numbers, and says what became of them.

--paper: without a device, planned for made-up ones and computed by the references, which is faster. --jobs N: so many workers at a time. --save FOLDER: writes the models of those that went wrong, or with --all of every
one, there, for a closer look. The exit status is 1 if any went wrong.
"""

from __future__ import annotations

import argparse
import collections
import concurrent.futures
import sys
import threading
from pathlib import Path

from tests.fuzz.attempt import Outcome, mutant
from tests.fuzz.watch import Watch

_OFTEN = 250  # mutants after which it says how far it is


def save(number: int, folder: Path) -> None:
    """The mutant as files."""
    seed, data, _, _ = mutant(number)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{number}.onnx").write_bytes(data)
    for name, content in seed.files.items():
        (folder / name).write_bytes(content)


def _counts_text(found: collections.Counter[str]) -> str:
    return ", ".join(f"{count} {status}" for status, count in found.most_common())


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("first", type=int)
    parser.add_argument("last", type=int)
    parser.add_argument("--paper", action="store_true")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--save", type=Path)
    parser.add_argument("--all", action="store_true")
    options = parser.parse_args()
    own, watches = threading.local(), []

    def one(number: int) -> tuple[int, Outcome]:
        if not hasattr(own, "watch"):
            own.watch = Watch(options.paper)
            watches.append(own.watch)
        return number, own.watch.attempt(number)

    found: collections.Counter[str] = collections.Counter()
    wrong = 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for number, outcome in pool.map(one, range(options.first, options.last)):
            found[outcome.status] += 1
            if not found.total() % _OFTEN:
                print(f"{number}: {_counts_text(found)}", file=sys.stderr, flush=True)
            if not outcome.is_right:
                wrong += 1
                print(f"{number} {outcome.status} [{outcome.history}] {outcome.detail}", flush=True)
            if options.save and (options.all or not outcome.is_right):
                save(number, options.save)
    for watch in watches:
        watch.__exit__()
    print(_counts_text(found))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

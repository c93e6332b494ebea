"""python -m tests.conformance [--write] [--device NAME] [PATTERN]: runs ONNX's cases and says how many pass.

--write brings unsupported.txt up to date; it refuses to while any case fails.
"""

from __future__ import annotations

import argparse
import collections
import re
import sys
import time

from clconv.errors import UnsupportedError
from tests.conformance.onnx_cases import all_cases
from tests.conformance.outcome import reason_of, run_case, write_list


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("pattern", nargs="?", default="")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    if options.write and options.pattern:
        parser.error("--write needs every case")
    counts: collections.Counter[str] = collections.Counter()
    reasons: dict[str, str] = {}
    start = time.perf_counter()
    for case in all_cases():
        if not re.search(options.pattern, case.id):
            continue
        try:
            run_case(case, options.device)
            counts["passed"] += 1
        except UnsupportedError as error:
            reasons[case.id] = reason_of(error)
            counts["unsupported"] += 1
        except Exception as error:
            counts["failed"] += 1
            print(f"{case.id}: {type(error).__name__}: {error}")
    print(f"{dict(counts)} in {time.perf_counter() - start:.0f} s")
    if counts["failed"]:
        return 1
    if options.write:
        write_list(reasons)
    return 0


if __name__ == "__main__":
    sys.exit(main())

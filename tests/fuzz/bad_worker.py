"""Stands in for the worker: dies at 1, hangs at 2, answers everything else."""

from __future__ import annotations

import json
import os
import signal
import sys
import time


def main() -> None:
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        number = int(line)
        print(json.dumps({"stage": "clconv", "history": "made up"}), flush=True)
        if number == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        if number == 2:
            time.sleep(1000)
        print(json.dumps({"status": "answered", "detail": "", "history": "made up"}), flush=True)


if __name__ == "__main__":
    main()

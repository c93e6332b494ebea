"""Importing this registers variants that are wrong, die or hang: for worker processes only, see test_doctor.py."""

from __future__ import annotations

import dataclasses
import os
import signal
import time

from clconv.lowering.model.kernel import Lowered, Problem, Variant, always
from clconv.lowering.variants import VARIANTS


def wrong() -> Variant:
    """Computes the absolute value where Relu is asked for."""
    flat = VARIANTS["Relu"][0]

    def lower(problem: Problem) -> Lowered:
        other = dataclasses.replace(problem.node, op="Abs")
        return flat.lower(dataclasses.replace(problem, node=other))

    return Variant("Relu", "wrong", flat.applies, lower, flat.signatures)


def _die(problem: Problem) -> Lowered:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def _hang(problem: Problem) -> Lowered:
    time.sleep(1000)
    raise AssertionError


def install() -> None:
    VARIANTS["Relu"] += [
        wrong(),
        Variant("Relu", "deadly", always, _die),
        Variant("Relu", "endless", always, _hang),
    ]


if os.environ.get("BREAK_RELU") == "1":  # tests import the module, too, and stay sane
    install()

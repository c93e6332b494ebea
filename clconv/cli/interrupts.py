"""Ctrl-C at a moment when Python can only print it comes once more."""

from __future__ import annotations

import _thread
import signal
import sys
import threading
from typing import Any

_AGAIN = 0.05  # seconds until then


def keep_interrupts() -> None:
    """What is raised in `__del__`, and where a weak reference's object goes, is printed and forgotten, and the program goes
    on. An interrupt that comes just there is sent again from now on."""
    others = sys.unraisablehook

    def hook(lost: Any) -> None:
        is_due = issubclass(lost.exc_type, KeyboardInterrupt)
        while True:
            try:
                if is_due:
                    _interrupt_later()
                else:
                    others(lost)
                return
            except KeyboardInterrupt:  # what comes inside of this function is lost as well
                is_due = True

    sys.unraisablehook = hook


def _interrupt_later() -> None:
    timer = threading.Timer(_AGAIN, _interrupt)
    timer.daemon = True
    timer.start()


def _interrupt() -> None:
    """Sends the signal to the main thread itself, so that what it waits for ends."""
    main = threading.main_thread().ident
    if hasattr(signal, "pthread_kill") and main is not None:
        signal.pthread_kill(main, signal.SIGINT)
    else:
        _thread.interrupt_main()

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
        if not issubclass(lost.exc_type, KeyboardInterrupt):
            others(lost)
            return
        # Not at once: it would come inside of this function, where it is lost as well.
        timer = threading.Timer(_AGAIN, _interrupt)
        timer.daemon = True
        timer.start()

    sys.unraisablehook = hook


def _interrupt() -> None:
    """Sends the signal to the main thread itself, so that what it waits for ends."""
    main = threading.main_thread().ident
    if hasattr(signal, "pthread_kill") and main is not None:
        signal.pthread_kill(main, signal.SIGINT)
    else:
        _thread.interrupt_main()

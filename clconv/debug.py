"""What clconv says of its work: to Python's logging (the logger "clconv"), and in more detail on standard error for who set
CLCONV_DEBUG. And how any text is made fit to be printed.

Names, labels and messages hold text of strangers: what is printed goes through printable() first.
"""

from __future__ import annotations

import contextlib
import logging
import re
import sys
import time
from collections.abc import Iterator

from clconv import config

# C0 and C1 controls, marks that turn the direction of writing, line separators, lone surrogates, byte order mark. Names
# and labels come from files of others: an escape sequence in them could rewrite what the terminal shows.
_MARKS = "\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff"
_UNSAFE = re.compile(f"[\x00-\x1f{_MARKS}]")
_UNSAFE_BUT_LAYOUT = re.compile(f"[\x00-\x08\x0b-\x1f{_MARKS}]")  # lines and tabs stay


LOGGER = logging.getLogger("clconv")
"""Tells a program that asks which device was chosen and what took long (INFO), and what runs on the host instead of the
device (WARNING). Silent unless the program sets logging up."""
LOGGER.addHandler(logging.NullHandler())

_LONG = 2.0  # seconds


@contextlib.contextmanager
def logged_if_long(what: str) -> Iterator[None]:
    """Logs what was done in the block, and the time, if it took more than two seconds."""
    LOGGER.debug("%s", what)
    started = time.perf_counter()
    yield
    seconds = time.perf_counter() - started
    if seconds > _LONG:
        LOGGER.info("%s took %.1f s", what, seconds)


def say(level: int, text: object) -> None:
    """Prints the text, or any object as its text, if CLCONV_DEBUG is at least the level."""
    if config.DEBUG.get() >= level:
        print(f"clconv: {printable_lines(str(text))}", file=sys.stderr, flush=True)


def printable(text: str) -> str:
    """The text on one line, with an escape such as \\x1b for each control character."""
    return _UNSAFE.sub(lambda found: escaped(found[0]), text)


def printable_lines(text: str) -> str:
    """Like printable(), but lines and tabs stay."""
    return _UNSAFE_BUT_LAYOUT.sub(lambda found: escaped(found[0]), text)


def escaped(character: str) -> str:
    """As in a string of Python: \\x1b."""
    return character.encode("unicode_escape").decode("ascii")

"""How the reference shows a docstring: what it says of each parameter becomes a row of a list.

clconv's docstrings say `feeds: a mapping by name. outputs: which ones` in a paragraph, which reads well in a terminal.
"""

from __future__ import annotations

import re
from collections.abc import Collection

_WORD = r"[a-z]\w*"


def as_list(text: str, names: Collection[str]) -> str:
    """Markdown in which parts such as `feeds: ...` are a list, where the words before the colon are among `names`."""
    return "\n\n".join(
        part if part.startswith("    ") else _paragraph(part, names) for part in text.split("\n\n")
    )


def _paragraph(text: str, names: Collection[str]) -> str:
    begin = re.compile(rf"(?:^|(?<=[.;:)]\s)|(?<=\n))({_WORD}(?:, {_WORD})*)(\([^)]*\))?:\s")
    starts = [
        found
        for found in begin.finditer(text)
        if any(word in names for word in found[1].split(", "))
    ]
    if not starts:
        return text
    before = text[: starts[0].start()].rstrip()
    lines = [before, ""] if before else []
    ends = [*(found.start() for found in starts[1:]), len(text)]
    for found, end in zip(starts, ends, strict=True):
        said = " ".join(text[found.end() : end].split())
        said, last, raises = said.partition(
            " Raises "
        )  # of the function, not of its last parameter
        words = ", ".join(f"`{word}`" for word in found[1].split(", ")) + (found[2] or "")
        lines.append(f"- {words}: {said.rstrip(';')}")
    return "\n".join([*lines, *(["", f"Raises {raises}"] if last else [])])

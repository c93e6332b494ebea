"""Writes the table of CLCONV_* variables into docs/tuning.md, from clconv.config.SETTINGS.

python -m tests.tools.settings_table
"""

from __future__ import annotations

import re
from pathlib import Path

from clconv.config import CACHE_DIR, SETTINGS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "tuning.md"
_BETWEEN = re.compile(r"(<!-- settings: begin -->\n).*?(<!-- settings: end -->)", re.S)


def table() -> str:
    rows = ["| variable | default | meaning |", "| --- | --- | --- |"]
    for setting in SETTINGS:
        default = "the user's cache folder" if setting is CACHE_DIR else _text(setting.default)
        rows.append(f"| `{setting.name}` | {default} | {setting.doc} |")
    return "\n".join(rows) + "\n"


def _text(default: object) -> str:
    if isinstance(default, bool):
        return str(int(default))
    return str(default) if default not in ("", None, {}) else "-"


def with_table(page: str) -> str:
    """The page with the table of today."""
    found, count = _BETWEEN.subn(lambda m: f"{m[1]}{table()}{m[2]}", page)
    assert count == 1, "the page has no place for the table"
    return found


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")

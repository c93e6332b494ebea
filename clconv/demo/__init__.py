"""The picture that `clconv demo` reads, and what stands on it. Drawn by tests/tools/draw_demo_picture.py."""

from __future__ import annotations

from pathlib import Path

PICTURE = Path(__file__).with_name("departures.png")

HEADING = "NIGHT TRAINS"
LINES = (
    ("21:05", "Lisbon via Madrid", "Platform 4"),
    ("21:40", "Vienna Central", "Platform 11"),
    ("22:18", "Prague and Dresden", "Platform 7"),
    ("23:55", "Stockholm South", "Platform 2"),
)
FOOTER = "Please keep your tickets ready."

"""A profile as one HTML page that needs nothing else: a timeline and a table that can be sorted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from clconv.profiling.profile import METHODS, Event, Profile

_PAGE = Path(__file__).parent / "page.html"
_MARK = "__PROFILE__"
_MOST_BARS = 4000  # of the timeline; a browser draws more only slowly
# Inside a script element a browser looks for its end before JavaScript or JSON is read: a name that holds it must not.
_ESCAPES = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}


def page_text(profile: Profile) -> str:
    """The page. Whatever stands in names is shown as text, and never read as HTML."""
    content = json.dumps(_content(profile), allow_nan=False).translate(_ESCAPES)
    return _PAGE.read_text(encoding="utf-8").replace(_MARK, content)


def _content(profile: Profile) -> dict[str, Any]:
    bars = [event for event in profile.timeline if event.lane != "load"]
    longest = sorted(bars, key=lambda event: -event.seconds)[:_MOST_BARS]
    return {
        **profile.as_dict(),
        "method_text": METHODS[profile.method],
        "timeline": [_bar(event) for event in sorted(longest, key=lambda event: event.begin)],
        "bars_left_out": len(bars) - len(longest),
    }


def _bar(event: Event) -> list[Any]:
    """Microseconds."""
    begin, end = round(event.begin * 1e6, 2), round(event.end * 1e6, 2)
    return [event.lane, event.name, begin, max(end, begin), event.detail]

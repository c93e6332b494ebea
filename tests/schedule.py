"""Which tests pytest-xdist gives to one process together: those that compile the same kernels.

By default every process gets any tests, and two of them compile the same programs at the same time.
"""

from __future__ import annotations

import re

from xdist.scheduler import LoadScopeScheduling

# tests/kernels/test_half.py::test_name[0-Portable-cpu-MaxPool-a_case]
_OPERATOR = re.compile(r"^tests/kernels/.*\[\d+-[^-]+-[a-z]+-([A-Z][A-Za-z0-9]*)-")


class ByOperator(LoadScopeScheduling):
    """An operator's kernel tests stay in one process, as do the cases of any other test."""

    def _split_scope(self, nodeid: str) -> str:
        operator = _OPERATOR.match(nodeid)
        return f"kernels of {operator[1]}" if operator else nodeid.partition("[")[0]

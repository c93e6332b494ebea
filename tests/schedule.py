"""Which tests pytest-xdist gives to one process together: those that compile the same kernels.

By default every process gets any tests, and two of them compile the same programs at the same time.
"""

from __future__ import annotations

import re

from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

# tests/kernels/test_half.py::test_name[0-Portable-cpu-MaxPool-a_case]
_OPERATOR = re.compile(r"^tests/kernels/.*\[\d+-[^-]+-[a-z]+-([A-Z][A-Za-z0-9]*)-")


class ByOperator(LoadScopeScheduling):
    """An operator's kernel tests stay in one process, as do the cases of any other test."""

    def _split_scope(self, nodeid: str) -> str:
        operator = _OPERATOR.match(nodeid)
        return f"kernels of {operator[1]}" if operator else nodeid.partition("[")[0]

    def remove_node(self, node: WorkerController) -> str | None:
        """What a process that ended has not done goes to the others, without the test that it died of, which is returned.

        LoadScopeScheduling gives out that test once more, and groups of which nothing is left: a process that was given one of
        these never asked for another, and the run did not end.
        """
        units = self.assigned_work.pop(node)
        fatal = next((t for unit in units.values() for t, done in unit.items() if not done), None)
        if fatal is None:
            return None
        for scope, unit in units.items():
            unit.update({fatal: True} if fatal in unit else {})
            if not all(unit.values()):
                self.workqueue[scope] = unit
        for other in self.assigned_work:
            self._reschedule(other)
        return fatal

"""Cases of TurnedFilters: groups, one filter, 1-D to 3-D."""

from clconv.cases.base import Case, data


def turned(label: str, *shape: int, group: int = 1) -> Case:
    return Case("TurnedFilters", label, (data(*shape),), {"group": group})


CASES = (
    turned("3x3", 23, 19, 3, 3),
    turned("1x1", 37, 5, 1, 1),
    turned("groups", 12, 3, 3, 2, group=2),
    turned("depthwise", 17, 1, 5, 3, group=17),
    turned("1-D", 6, 7, 4),
    turned("3-D groups", 9, 2, 2, 3, 4, group=3),
    turned("one element", 1, 1, 1, 1),
)

"""What waits for what must keep every order that memory needs, whatever the extents."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from clconv.planning.hazards import Access, Extent, dependencies


@st.composite
def extents(draw: st.DrawFn) -> Extent:
    begin = draw(st.integers(0, 12))
    return Extent(draw(st.integers(0, 1)), begin, begin + draw(st.integers(0, 6)))


ACCESSES = st.lists(
    st.builds(
        Access,
        st.lists(extents(), max_size=3).map(tuple),
        st.lists(extents(), max_size=2).map(tuple),
    ),
    max_size=10,
)


def overlap(one: tuple[Extent, ...], other: tuple[Extent, ...]) -> bool:
    return any(
        a.arena == b.arena and max(a.begin, b.begin) < min(a.end, b.end) for a in one for b in other
    )


@given(ACCESSES)
def test_every_conflict_is_waited_for_directly_or_through_others(accesses: list[Access]) -> None:
    awaited = dependencies(accesses)
    reached: list[set[int]] = []
    for index, access in enumerate(accesses):
        assert all(earlier < index for earlier in awaited[index])
        reached.append({*awaited[index]}.union(*(reached[j] for j in awaited[index])))
        for earlier, other in enumerate(accesses[:index]):
            conflict = (
                overlap(access.reads, other.writes)
                or overlap(access.writes, other.writes)
                or overlap(access.writes, other.reads)
            )
            assert not conflict or earlier in reached[index], f"{index} must wait for {earlier}"


@given(ACCESSES)
def test_nothing_is_waited_for_without_a_conflict(accesses: list[Access]) -> None:
    for index, earlier in enumerate(dependencies(accesses)):
        for j in earlier:
            one, other = accesses[index], accesses[j]
            assert (
                overlap(one.reads, other.writes)
                or overlap(one.writes, other.writes)
                or overlap(one.writes, other.reads)
            )


def test_readers_of_the_same_value_run_side_by_side() -> None:
    x, y, z = (Extent(0, i * 64, i * 64 + 64) for i in range(3))
    chain = [Access((), (x,)), Access((x,), (y,)), Access((x,), (z,)), Access((y, z), (x,))]
    assert dependencies(chain) == [(), (0,), (0,), (0, 1, 2)]

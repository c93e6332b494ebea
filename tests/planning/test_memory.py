"""Slots: never two values at one place at one time, within the device's limits, and little waste."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clconv.errors import DeviceMemoryError
from clconv.planning.memory import Lifetime, MemoryPlan, largest_live_set, plan_memory

PLENTY = 1 << 40


@st.composite
def lifetimes(draw: st.DrawFn) -> list[Lifetime]:
    count = draw(st.integers(0, 25))
    values = []
    for i in range(count):
        first = draw(st.integers(-1, 20))
        nbytes = draw(st.one_of(st.integers(0, 5000), st.sampled_from([0, 1, 127, 128, 129, 4096])))
        values.append(Lifetime(f"v{i}", nbytes, first, first + draw(st.integers(0, 8))))
    return values


def assert_sound(values: list[Lifetime], plan: MemoryPlan, alignment: int, guard: int) -> None:
    assert set(plan.slots) == {v.name for v in values}
    for value in values:
        slot = plan.slots[value.name]
        assert slot.nbytes == value.nbytes
        assert slot.offset % alignment == 0
        assert slot.offset >= guard
        assert slot.offset + slot.nbytes + guard <= plan.arenas[slot.arena]
    for i, one in enumerate(values):
        for other in values[:i]:
            a, b = plan.slots[one.name], plan.slots[other.name]
            together = one.first <= other.last and other.first <= one.last
            if together and a.arena == b.arena:
                separate = (
                    a.offset + max(a.nbytes, 1) + guard <= b.offset
                    or b.offset + max(b.nbytes, 1) + guard <= a.offset
                )
                assert separate, f"{one} at {a} and {other} at {b}"


@settings(deadline=None)
@given(lifetimes(), st.sampled_from([1, 64, 128, 4096]), st.sampled_from([0, 1, 256, 300]))
def test_values_alive_together_never_overlap(
    values: list[Lifetime], alignment: int, guard: int
) -> None:
    plan = plan_memory(values, alignment, PLENTY, PLENTY, guard)
    assert_sound(values, plan, alignment, guard)
    assert plan.total >= largest_live_set(values)
    assert len(plan.arenas) <= 1


@settings(deadline=None)
@given(lifetimes(), st.sampled_from([0, 100]))
def test_arenas_are_no_larger_than_the_device_allocates(values: list[Lifetime], guard: int) -> None:
    largest = 8192
    plan = plan_memory(values, 128, largest, PLENTY, guard)
    assert_sound(values, plan, 128, guard)
    assert all(size <= largest for size in plan.arenas)


def test_a_value_larger_than_the_device_allocates_is_refused_by_name() -> None:
    values = [Lifetime("small", 10, 0, 1), Lifetime("picture", 2000, 0, 1)]
    with pytest.raises(DeviceMemoryError, match=r"'picture' needs 2,000 bytes.* at most 1,024"):
        plan_memory(values, 128, 1024, PLENTY)


def test_a_value_that_fits_exactly_is_taken_and_a_byte_more_is_not() -> None:
    assert plan_memory([Lifetime("x", 1024, 0, 0)], 128, 1024, 1024).arenas == (1024,)
    with pytest.raises(DeviceMemoryError):
        plan_memory([Lifetime("x", 1025, 0, 0)], 128, 1024, PLENTY)


def test_too_much_in_total_is_refused() -> None:
    values = [Lifetime(f"v{i}", 1000, 0, 5) for i in range(4)]
    with pytest.raises(DeviceMemoryError, match=r"need 4,096 bytes at once, the device has 4,000"):
        plan_memory(values, 128, 2048, 4000)


def test_the_live_set_is_what_lives_at_the_worst_step() -> None:
    values = [Lifetime("a", 10, 0, 1), Lifetime("b", 20, 1, 2), Lifetime("c", 25, 2, 2)]
    assert largest_live_set(values) == 45
    assert largest_live_set([]) == 0


class Chain:
    """Lifetimes as a network makes them: each layer reads earlier values and writes one."""

    def __init__(self, nbytes: int) -> None:
        self.sizes, self.first, self.last = [nbytes], [-1], [-1]
        self.step = 0

    def layer(self, nbytes: int, *reads: int) -> int:
        for value in reads:
            self.last[value] = self.step
        self.sizes.append(nbytes)
        self.first.append(self.step)
        self.last.append(self.step)
        self.step += 1
        return len(self.sizes) - 1

    def values(self) -> list[Lifetime]:
        self.last[-1] = self.step
        parts = zip(self.sizes, self.first, self.last, strict=True)
        return [Lifetime(f"v{i}", *p) for i, p in enumerate(parts)]


def float_bytes(channels: int, size: int) -> int:
    return channels * size * size * 4


def resnet(bottleneck: bool, size: int = 224) -> list[Lifetime]:
    chain = Chain(float_bytes(3, size))
    x = chain.layer(float_bytes(64, size // 2), 0)
    size //= 4
    x = chain.layer(float_bytes(64, size), x)
    for stage, blocks in enumerate((3, 4, 6, 3)):
        inner = 64 << stage
        outer = inner * 4 if bottleneck else inner
        for block in range(blocks):
            shrink = block == 0 and stage > 0
            after = size // 2 if shrink else size
            y = chain.layer(float_bytes(inner, size if bottleneck else after), x)
            if bottleneck:
                y = chain.layer(float_bytes(inner, after), y)
            skip = chain.layer(float_bytes(outer, after), x) if block == 0 else x
            x = chain.layer(float_bytes(outer, after), y, skip)
            size = after
    x = chain.layer(float_bytes(chain.sizes[-1] // (size * size * 4), 1), x)
    chain.layer(4000, x)
    return chain.values()


def densenet(size: int = 224) -> list[Lifetime]:
    chain = Chain(float_bytes(3, size))
    channels, size = 64, size // 4
    x = chain.layer(float_bytes(channels, size * 2), 0)
    x = chain.layer(float_bytes(channels, size), x)
    for layers in (6, 12, 24, 16):
        for _ in range(layers):
            y = chain.layer(float_bytes(channels, size), x)  # scale and activation
            y = chain.layer(float_bytes(128, size), y)
            y = chain.layer(float_bytes(32, size), y)
            channels += 32
            x = chain.layer(float_bytes(channels, size), x, y)  # concatenation
        y = chain.layer(float_bytes(channels, size), x)
        channels //= 2
        y = chain.layer(float_bytes(channels, size), y)
        size //= 2
        x = chain.layer(float_bytes(channels, size), y)
    chain.layer(4000, x)
    return chain.values()


def unet(size: int = 256, base: int = 16, copies: bool = True) -> list[Lifetime]:
    chain = Chain(float_bytes(3, size))
    x, skips = 0, []
    for level in range(4):
        x = chain.layer(float_bytes(base << level, size >> level), x)
        x = chain.layer(float_bytes(base << level, size >> level), x)
        skips.append(x)
        x = chain.layer(float_bytes(base << level, size >> (level + 1)), x)
    x = chain.layer(float_bytes(base << 4, size >> 4), x)
    for level in reversed(range(4)):
        channels, pixels = base << level, size >> level
        x = chain.layer(float_bytes(channels, pixels), x)
        x = chain.layer(float_bytes(2 * channels, pixels), x, skips[level])
        x = chain.layer(float_bytes(channels, pixels), x)
        x = chain.layer(float_bytes(channels, pixels), x)
    chain.layer(float_bytes(2, size), x)
    return chain.values()


def mobilenet(size: int = 224) -> list[Lifetime]:
    chain = Chain(float_bytes(3, size))
    size //= 2
    x, channels = chain.layer(float_bytes(32, size), 0), 32
    rows = [
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
    ]
    for expand, filters, repeat, stride in rows:
        for i in range(repeat):
            after = size // 2 if i == 0 and stride == 2 else size
            y = chain.layer(float_bytes(channels * expand, size), x)
            y = chain.layer(float_bytes(channels * expand, after), y)
            reads = (y, x) if i else (y,)
            x, channels, size = chain.layer(float_bytes(filters, after), *reads), filters, after
    chain.layer(4000, x)
    return chain.values()


def yolo(size: int = 320) -> list[Lifetime]:
    """Split, a few small layers, one concatenation of all of them, over and over; features kept long."""
    chain = Chain(float_bytes(3, size))
    x, kept = chain.layer(float_bytes(16, size // 2), 0), []
    for level, repeat in enumerate((1, 2, 2, 1)):
        channels, pixels = 32 << level, size >> (level + 2)
        x = chain.layer(float_bytes(channels, pixels), x)
        y = chain.layer(float_bytes(channels, pixels), x)
        parts = [y]
        for _ in range(repeat):
            a = chain.layer(float_bytes(channels // 2, pixels), parts[-1])
            parts.append(chain.layer(float_bytes(channels // 2, pixels), a, parts[-1]))
        joined = chain.layer(float_bytes(channels * (2 + repeat) // 2, pixels), *parts)
        x = chain.layer(float_bytes(channels, pixels), joined)
        kept.append(x)
    for level in (2, 1):
        channels, pixels = 32 << level, size >> (level + 2)
        up = chain.layer(float_bytes(channels * 2, pixels), x)
        joined = chain.layer(float_bytes(channels * 3, pixels), up, kept[level])
        x = chain.layer(float_bytes(channels, pixels), joined)
    chain.layer(8400 * 84, x, *kept)
    return chain.values()


NETWORKS: dict[str, Callable[[], list[Lifetime]]] = {
    "resnet18": lambda: resnet(False),
    "resnet50": lambda: resnet(True),
    "resnet50 at 97": lambda: resnet(True, 97),
    "densenet121": densenet,
    "unet": unet,
    "unet at 176": lambda: unet(176, 24),
    "mobilenetv2": mobilenet,
    "yolo": yolo,
}


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_need_little_more_than_their_largest_live_set(name: str) -> None:
    values = NETWORKS[name]()
    plan = plan_memory(values, 128, PLENTY, PLENTY)
    assert_sound(values, plan, 128, 0)
    assert plan.total <= 1.2 * largest_live_set(values)


def test_random_networks_need_little_more_than_their_largest_live_set() -> None:
    ratios = []
    for seed in range(60):
        rng = random.Random(seed)
        chain = Chain(rng.randrange(1 << 16, 1 << 20))
        recent = [0]
        for _ in range(60):
            reads = {
                recent[-1],
                *rng.sample(recent[-4:], min(len(recent[-4:]), rng.randrange(1, 3))),
            }
            recent.append(chain.layer(rng.randrange(1 << 14, 1 << 20), *reads))
        values = chain.values()
        plan = plan_memory(values, 128, PLENTY, PLENTY)
        ratios.append(plan.total / largest_live_set(values))
    assert max(ratios) <= 1.25
    assert sum(ratios) / len(ratios) <= 1.1

"""Layers that follow each other, band of rows by band: what lies between them stays in the cores' own caches.

A large image goes to memory from one layer and comes back to the next. Where only the next one reads it, a few rows of it are
enough at a time: those that a band of the last layer's rows needs are computed before it, each time in the same memory. Rows
that two bands need are computed twice. The kernels and their sums are those of whole images. In MobileNetV2 this is the
widest part of inverted residuals (Sandler et al., 2018): expansion, depthwise convolution, projection.
"""

from __future__ import annotations

import collections
import dataclasses
import math
from collections.abc import Iterator, Sequence

from clconv.device.info import DeviceInfo
from clconv.graph.ir import Graph
from clconv.lowering.model.arguments import Read, Write
from clconv.lowering.model.call import KernelCall
from clconv.lowering.model.lowered import LoweredGraph
from clconv.lowering.model.rows import ByRows, HeldRows, Rows

# Bytes for each core: a value between layers that has as many is worth a band, and the values of a band have about as many
# together. Measured with 2 MiB of cache a core: twice as many gain less, and bands of half as many compute more rows twice.
_CORE_BYTES = 512 << 10
# Chains whose values between layers have less than so many times as much stay whole.
_LEAST = 1.5
# The rows of a core may have so many times as much, where fewer would be computed twice too often.
_MOST = 2.0
# Work of a chain of layers that may be done twice.
_MOST_TWICE = 0.1


def in_bands(graph: Graph, lowered: LoweredGraph, device: DeviceInfo) -> LoweredGraph:
    """The lowered graph with chains of calls in bands where what lies between them is large, else the same.

    For launches that are joined, where one more costs next to nothing. Values between such layers are nowhere whole, so they
    count among `late`.
    """
    if not device.is_cpu:
        return lowered
    calls: list[KernelCall] = []
    scratch, late, before = dict(lowered.scratch), set(lowered.late), [0]
    for chain in _chains(graph, lowered, _CORE_BYTES * device.compute_units):
        bands = _bands(chain, lowered, device)
        if bands:
            calls += _banded(chain, bands, lowered, scratch)
            late.update(call.writes[0] for call in chain[:-1])
            before += [len(calls)] * len(chain)
        else:
            before += range(len(calls) + 1, len(calls) + len(chain) + 1)
            calls += chain
    if late == lowered.late:
        return lowered
    ends = tuple(before[end] for end in lowered.ends)
    return dataclasses.replace(
        lowered, calls=tuple(calls), scratch=scratch, ends=ends, late=frozenset(late)
    )


def _chains(graph: Graph, lowered: LoweredGraph, least: int) -> Iterator[list[KernelCall]]:
    """All calls in order, those together of which each reads what the one before it made for it alone, of at least so many
    bytes."""
    uses = collections.Counter(
        lowered.place(argument.value)[0]
        for call in lowered.calls
        for _, argument in call.arguments
        if isinstance(argument, Read | Write)
    )
    kept = {lowered.place(name)[0] for name in (*lowered.stored.values(), *graph.inputs)}

    def follows(before: KernelCall, call: KernelCall) -> bool:
        if before.by_rows is None or call.by_rows is None or before.by_rows.alike:
            return False
        made, read = dict(before.arguments)["y"], dict(call.arguments)["x"]
        value = before.writes[0]
        return (
            made == Write(value)
            and read == Read(value)
            and lowered.place(value) == (value, 0)
            and uses[value] == 2
            and value not in kept
            and lowered.specs[value].nbytes >= least
        )

    chain: list[KernelCall] = []
    for call in lowered.calls:
        if chain and not follows(chain[-1], call):
            yield chain
            chain = []
        chain.append(call)
    if chain:
        yield chain


def _bands(
    chain: Sequence[KernelCall], lowered: LoweredGraph, device: DeviceInfo
) -> list[list[Rows]]:
    """The rows of each call's result, by bands that give each core as many rows of the last one's; none where that gains
    nothing."""
    *inner, last = chain
    between = sum(lowered.specs[call.writes[0]].nbytes for call in inner)
    room = _CORE_BYTES * device.compute_units
    if between < _LEAST * room or _overwrites(chain, lowered):
        return []
    aligned = device.base_alignment
    height = _by_rows(last).out[0]
    step = math.lcm(device.compute_units, _aligned_rows(_by_rows(last).lines[1], aligned))
    each = max(height // -(-between // room) // step, 1) * step
    while each < height and between * each // height <= _MOST * room:
        bands = [
            _needed(chain, Rows(begin, min(begin + each, height)), aligned)
            for begin in range(0, height, each)
        ]
        if _work(chain, bands) <= 1 + _MOST_TWICE:
            return bands
        each += step
    return []


def _aligned_rows(line: int, alignment: int) -> int:
    """Every so many rows begin where a part of a buffer may."""
    return alignment // math.gcd(line, alignment)


def _overwrites(chain: Sequence[KernelCall], lowered: LoweredGraph) -> bool:
    """Whether the result lies where the chain reads, as a new value of state may: a later band would find it changed."""
    owner = lowered.place(chain[-1].writes[0])[0]
    return any(lowered.place(name)[0] == owner for call in chain for name in call.reads)


def _needed(chain: Sequence[KernelCall], band: Rows, alignment: int) -> list[Rows]:
    """The rows of each call's result that a band of the last one's needs, the first one's from where its image may begin."""
    found = [band]
    for call in reversed(chain[1:]):
        found.insert(0, _by_rows(call).needed(found[0]))
    first = _by_rows(chain[0])
    if first.further:
        before = found[0].begin % _aligned_rows(first.lines[0], alignment)
        found[0] = Rows(found[0].begin - before, found[0].end)
    return found


def _work(chain: Sequence[KernelCall], bands: Sequence[Sequence[Rows]]) -> float:
    """What bands compute over what whole images take; infinite where one needs no row of some image at all."""
    done = whole = 0.0
    for call, parts in zip(chain, zip(*bands, strict=True), strict=True):
        if not all(rows.count for rows in parts):
            return math.inf
        whole += call.cost.flops
        done += call.cost.flops * sum(rows.count for rows in parts) / _by_rows(call).out[0]
    return done / max(whole, 1.0)


def _banded(
    chain: Sequence[KernelCall],
    bands: Sequence[Sequence[Rows]],
    lowered: LoweredGraph,
    scratch: dict[str, int],
) -> list[KernelCall]:
    """The calls band by band. scratch: takes up what holds the rows between them."""
    names = []
    for call in chain[:-1]:
        name = call.writes[0] + "@rows"
        while name in scratch or name in lowered.specs:
            name += "'"
        names.append(name)
        scratch[name] = 0
    calls = []
    for band in bands:
        source = HeldRows(Rows(0, _by_rows(chain[0]).size[0]))
        for call, rows, name in zip(chain, band, [*names, ""], strict=True):
            this = _by_rows(call)
            target = HeldRows(rows, name) if name else HeldRows(Rows(0, this.out[0]))
            calls.append(this.part(this, call, rows, source, target))
            if name:
                scratch[name] = max(scratch[name], rows.count * this.row_bytes)
            source = target
    return calls


def _by_rows(call: KernelCall) -> ByRows:
    assert call.by_rows is not None
    return call.by_rows

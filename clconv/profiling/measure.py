"""profile(): runs a network and says where the time goes."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from clconv import config
from clconv.api import Source, read_model
from clconv.device.info import DeviceInfo
from clconv.errors import ConfigError, InputError
from clconv.graph.ir import Graph, TensorSpec
from clconv.probes.clock_probe import verified_clock
from clconv.profiling.ceilings import ceilings_of
from clconv.profiling.profile import Event, Profile, Row
from clconv.profiling.recorder import Recorder, RunTimes, rows_of, run_times, timeline
from clconv.runtime.bound import Progress
from clconv.runtime.device import choose_device
from clconv.runtime.progress import silent
from clconv.session.inputs import Feeds as Given
from clconv.session.inputs import as_feeds, conform, conform_shapes
from clconv.session.random_feeds import random_feeds
from clconv.session.session import Session
from clconv.spans import Recording, recorded, span
from clconv.version import __version__

_WARM_UPS = 2
_STAGES = ("import", "passes", "plan", "device", "build", "pack", "first run", "other")
Feeds = Mapping[str, np.ndarray]
Shapes = Mapping[str, Sequence[int]]


def profile(
    source: Source | Session,
    feeds: Given | Callable[[Graph], Given] | None = None,
    *,
    shapes: Shapes | None = None,
    device: str | int | DeviceInfo | None = None,
    precision: str | None = None,
    runs: int = 10,
    joined: bool = True,
    measure_ceilings: bool = False,
    progress: Progress | None = None,
    on_run: Progress = silent,
) -> Profile:
    """Where the time of a network goes: kernel by kernel, outside of kernels, and in loading it.

    source: what load() takes, or a Session, whose load is over and is not told. feeds: what Session.run() takes, or a
    function that makes it for the model's graph; random ones of the given `shapes` if left out, with 1 for an open batch.
    device, precision, progress: as for load(). runs: how many usual and how many profiled runs, in turn.
    joined: on PoCL, look into the joined launches by time stamps, if the processor's clock proves right; False: a launch
    for each kernel. Either way `Profile.method` says which it was.
    measure_ceilings: measure the device's peak again, instead of taking what was measured before.
    on_run(done, all): called before and after each of the runs; the first compiles the kernels with time stamps.

    Each time is a median over the runs, so that what disturbs a run counts little.

    Raises what load() and Session.run() raise, ConfigError for `runs` below 1 or options that a Session has already.
    """
    if runs < 1:
        raise ConfigError(f"runs={runs}: at least one")
    if isinstance(source, Session):
        if device is not None or precision is not None:
            raise ConfigError("a session has its device and precision: leave them out")
        session = source
        load: dict[str, float] = {}
        loaded: list[Event] = []
        given = _feeds(session.graph, feeds, shapes)
        session.run(given)
    else:
        session, given, load, loaded = _loaded(
            source, lambda graph: _feeds(graph, feeds, shapes), device, precision, progress
        )
    ceilings = ceilings_of(session.device, measure_ceilings)
    times, usual, events, method = _measured(session, given, (runs, joined), on_run)
    return Profile(
        model=_name(source, session),
        device=str(session.device),
        driver=session.device.driver,
        precision=session.precision,
        inputs={name: str(TensorSpec.of(array)) for name, array in given.items()},
        method=method,
        runs=runs,
        run=statistics.median(usual),
        profiled=statistics.median(one.total for one in times),
        load=load,
        outside=_medians([one.outside for one in times]),
        launches=tuple(_rows(times)),
        ceilings=ceilings,
        timeline=(*loaded, *events),
        clconv=__version__,
    )


def _feeds(
    graph: Graph, feeds: Given | Callable[[Graph], Given] | None, shapes: Shapes | None
) -> Feeds:
    specs = graph.input_specs()
    if feeds is not None:
        if shapes is not None:
            raise InputError("feeds have their shapes: leave `shapes` out")
        return conform(specs, as_feeds(specs, feeds(graph) if callable(feeds) else feeds))
    wanted = dict(shapes or {})
    for name, spec in specs.items():
        if name not in wanted:
            sizes = [
                1 if i == 0 and not isinstance(d, int) else d for i, d in enumerate(spec.shape)
            ]
            if not all(isinstance(d, int) for d in sizes):
                raise InputError(
                    f"input '{name}' is {spec}, its size is open: pass `feeds` or `shapes`"
                )
            wanted[name] = [d for d in sizes if isinstance(d, int)]
    conform_shapes(specs, wanted)
    return random_feeds(specs, wanted)


def _loaded(
    source: Source,
    feeds_for: Callable[[Graph], Feeds],
    device: str | int | DeviceInfo | None,
    precision: str | None,
    progress: Progress | None,
) -> tuple[Session, Feeds, dict[str, float], list[Event]]:
    """The session, its inputs, how the seconds until its first answer are made up, and the bars of that."""
    begin = time.perf_counter()
    with recorded() as recording:
        config.chosen_precision(precision)
        with span("device"):
            chosen = choose_device(device)
        graph = read_model(source)
        given = feeds_for(graph)
        session = Session(graph, chosen, precision=precision, progress=progress or silent)
        session.prepare({name: array.shape for name, array in given.items()})
        with span("first run"):
            session.run(given)
    seconds = time.perf_counter() - begin
    own = recording.own_seconds()
    load = {stage: own.get(stage, 0.0) for stage in _STAGES}
    load["other"] = seconds - sum(load.values())
    events = [Event("load", s.name, s.begin - begin, s.end - begin) for s in recording.spans]
    return session, given, load, events


def _measured(
    session: Session, feeds: Feeds, how: tuple[int, bool], on_run: Progress
) -> tuple[list[RunTimes], list[float], list[Event], str]:
    """Profiled runs, seconds of usual ones, the bars of the fastest profiled run, and the method. how: runs, joined."""
    runs, joined = how
    recorder = Recorder(verified_clock(session.device) if joined else None)
    best = float("inf")
    times, usual, events = [], [], []
    for number in range(-_WARM_UPS, runs):
        on_run(number + _WARM_UPS, runs + _WARM_UPS)
        begin = time.perf_counter()
        session.run(feeds)
        between = time.perf_counter()
        recording, end = _one(session, feeds, recorder)
        executed = recorder.taken()
        if number < 0:
            continue
        usual.append(between - begin)
        times.append(run_times(end - between, executed, recording))
        if times[-1].total < best:
            best, events = times[-1].total, timeline(between, executed, recording)
    on_run(runs + _WARM_UPS, runs + _WARM_UPS)
    return times, usual, events, "joined" if recorder.is_joined else "separate"


def _one(session: Session, feeds: Feeds, recorder: Recorder) -> tuple[Recording, float]:
    with recorded() as recording:
        session.run_by(feeds, recorder)
    return recording, time.perf_counter()


def _medians(found: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: statistics.median(one[name] for one in found) for name in found[0]}


def _rows(times: Sequence[RunTimes]) -> Iterator[Row]:
    """The launches in order. Which plans a run has may depend on its inputs, which are the same here."""
    for number, plan in enumerate(times[0].plans):
        counts = {call: n for (which, call), n in times[0].counts.items() if which == number}
        seconds = {
            call: statistics.median(one.kernels.get((number, call), 0.0) for one in times)
            for call in counts
        }
        yield from rows_of(plan, seconds, counts)


def _name(source: Source | Session, session: Session) -> str:
    if isinstance(source, str | os.PathLike):
        return os.path.basename(os.fspath(source))
    return session.graph.name

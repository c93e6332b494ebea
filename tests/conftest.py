"""Fixtures for all tests: every visible OpenCL device, and the shared models where they are.

Three options are for slow or unusual OpenCL implementations, or for what others would run: --as-cpu, --as-gpu and
--most-flops. --soak is for those who have time.
"""

from __future__ import annotations

import dataclasses
import gc
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from clconv.device.info import DeviceInfo
from clconv.graph.evaluate import node_cost
from tests import optimisation
from tests.representatives import repetitions

# Their networks compile for half as long with vectors of 8 floats as with 16: the quick run takes no longer ones there.
# Kernels, ONNX's cases and other packages' interfaces are tested with the device as it is, with --whole all is.
NARROW = (
    "tests/models",
    "tests/planning",
    "tests/profiling",
    "tests/runtime",
    "tests/session",
    "tests/training",
)
# There other processes, which take devices as they are, find what these compiled.
NOT_NARROW = ("tests/session/test_compiled.py", "tests/session/kept")

# These look at devices as they are found, too.
AS_FOUND = (*NOT_NARROW, "tests/device", "tests/kernels/test_warnings.py")

SHARED = Path(__file__).resolve().parent.parent.parent / "shared"


# Neither do examples have a number of seconds, nor is a busy machine a reason to fail.
hypothesis.settings.register_profile(
    "patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("patient")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--as-cpu",
        type=int,
        metavar="LANES",
        help="treat every device as a CPU with vectors of so many floats: the CPU variants run on it",
    )
    parser.addoption(
        "--as-gpu",
        action="store_true",
        help="treat every device as a GPU: what lowering chooses for those runs on it",
    )
    parser.addoption(
        "--whole",
        action="store_true",
        help="also the tests marked slow: what takes long, and more cases of what quicker tests run, too",
    )
    parser.addoption(
        "--soak",
        action="store_true",
        help="everything, also the tests marked long, and tests/soak at full length, some ten minutes: 20,000 runs, 500 "
        "sizes, every moment of an interrupt",
    )
    parser.addoption(
        "--most-flops",
        type=float,
        metavar="N",
        help="leave out the cases of clconv.cases that cost more than so many operations or bytes",
    )


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """`pytest -n 2` without a --dist of its own: see tests/schedule.py."""
    if config.getoption("dist") != "load":
        return None
    from tests.schedule import ByOperator

    return ByOperator(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    # -m says itself which marks are wanted. To find the repetitions takes seconds.
    if config.getoption("-m") or not asks_for_all(config):
        for item in repetitions(items):
            item.add_marker(pytest.mark.slow)
    if not asks_for_all(config):
        _leave_out(config, items, lambda item: item.get_closest_marker("slow") is not None)
    if not config.getoption("-m") and not config.getoption("--soak"):
        _leave_out(config, items, lambda item: item.get_closest_marker("long") is not None)
    most = config.getoption("--most-flops")
    if most is not None:
        _leave_out(config, items, lambda item: _cost(item) > most)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    optimisation.choose(item)


def asks_for_all(config: pytest.Config) -> bool:
    """Whether the run is another than the quick one."""
    return not optimisation.is_quick(config)


def _leave_out(
    config: pytest.Config, items: list[pytest.Item], unwanted: Callable[[pytest.Item], bool]
) -> None:
    left = [item for item in items if unwanted(item)]
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if not unwanted(item)]


def _cost(item: pytest.Item) -> float:
    """What the case of a test costs: operations, or bytes where they are more; 0 for other tests."""
    case = getattr(item, "callspec", None) and item.callspec.params.get("case")
    if case is None:
        return 0
    graph, _ = case.build()
    cost = node_cost(graph.nodes[0], graph)
    return max(cost.flops, cost.bytes)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes `device` runs once on each OpenCL device that is visible, with the vectors that sessions take."""
    if "device" in metafunc.fixturenames:
        from clconv.probes.wide_probe import verified_wide
        from clconv.runtime.device import devices

        place = metafunc.definition.nodeid
        as_it_is = place.startswith(AS_FOUND)
        found = devices() if as_it_is else tuple(map(verified_wide, devices()))
        assert found, "no OpenCL device: pip install 'clconv[pocl]'"
        width = metafunc.config.getoption("--as-cpu")
        if width is not None:
            found = tuple(_as_cpu(d, width) for d in found)
        if metafunc.config.getoption("--as-gpu"):
            found = tuple(dataclasses.replace(d, kind="gpu") for d in found)
        is_narrow = place.startswith(NARROW) and not as_it_is
        if is_narrow and not asks_for_all(metafunc.config):
            found = tuple(_narrowed(d) for d in found)
        metafunc.parametrize("device", found, ids=[_label(d) for d in found], scope="session")


def _narrowed(device: DeviceInfo) -> DeviceInfo:
    if not device.is_cpu:
        return device
    lanes = min(device.vector_width, 8)
    return dataclasses.replace(device, vector_width=lanes, wide="", wide_verified=False)


def _as_cpu(device: DeviceInfo, width: int) -> DeviceInfo:
    quirks = device.quirks - {"runs-items-in-lanes"}
    return dataclasses.replace(device, kind="cpu", vector_width=width, quirks=quirks)


def _label(device: DeviceInfo) -> str:
    return f"{device.index}-{device.platform.split()[0]}-{device.kind}"


def _without_settings(monkeypatch: pytest.MonkeyPatch, factory: pytest.TempPathFactory) -> None:
    for name in [n for n in os.environ if n.startswith("CLCONV_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CLCONV_CACHE_DIR", str(factory.getbasetemp() / "no-findings"))


@pytest.fixture(autouse=True, scope="session")
def no_settings_at_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What a module's or the whole run's fixtures make is made as no_settings says, too."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        _without_settings(monkeypatch, tmp_path_factory)
        yield


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Tests start without CLCONV_* variables of the person who runs them, and without what clconv found out about
    that person's devices."""
    _without_settings(monkeypatch, tmp_path_factory)


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C interrupts, also where a shell that runs the tests in the background has it ignored, and while the cycle collector
    tells hypothesis how long it took: Python drops what is raised there."""
    before, told = signal.signal(signal.SIGINT, signal.default_int_handler), gc.callbacks[:]
    gc.callbacks.clear()
    yield
    gc.callbacks[:] = told
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def how_many(request: pytest.FixtureRequest) -> Callable[[int, int], int]:
    """how_many(quick, full): how often a test of tests/soak does something."""
    full = request.config.getoption("--soak")
    return lambda quick, most: most if full else quick


@pytest.fixture(scope="session")
def shared_models() -> Path:
    folder = SHARED / "models"
    if not folder.is_dir():
        pytest.skip("the shared models are not beside this checkout")
    return folder


@pytest.fixture(scope="session")
def shared_images() -> Path:
    folder = SHARED / "images"
    if not folder.is_dir():
        pytest.skip("the shared images are not beside this checkout")
    return folder

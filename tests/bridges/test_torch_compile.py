"""torch.compile(backend="clconv") against PyTorch itself."""

from __future__ import annotations

import concurrent.futures
import copy
import subprocess
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

import clconv
from clconv import errors
from clconv.bridges import torch_region
from clconv.bridges.torch_compile import backend
from clconv.errors import ClconvWarning, ConfigError
from tests.bridges.modules import close, nn, small, torch

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")


@pytest.fixture(autouse=True)
def anew(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    torch.manual_seed(0)
    torch._dynamo.reset()
    monkeypatch.setattr(errors, "_warned", set())
    yield
    torch._dynamo.reset()


@pytest.fixture
def sessions(monkeypatch: pytest.MonkeyPatch) -> list[clconv.Session]:
    """Those that a compiled module opens."""
    found: list[clconv.Session] = []

    def load(*args: Any, **more: Any) -> clconv.Session:
        found.append(clconv.load(*args, **more))
        return found[-1]

    monkeypatch.setattr(torch_region, "load", load)
    return found


def test_a_compiled_module_runs_on_clconv(sessions: list[clconv.Session]) -> None:
    module = small().eval()
    compiled = torch.compile(module, backend=backend)
    x = torch.randn(2, 3, 6, 6)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("error", ClconvWarning)
        close(compiled(x), module(x))
        assert len(sessions) == 1
        close(compiled(2 * x), module(2 * x))
        assert len(sessions) == 1 and len(sessions[0].inputs) == 1  # weights are constants
        module[0].weight.mul_(2)
        close(compiled(x), module(x))
        close(compiled(x + 1), module(x + 1))
        assert len(sessions) == 2
        x = torch.randn(5, 3, 6, 6).to(memory_format=torch.channels_last)
        close(compiled(x), module(x))
        close(compiled(x + 1), module(x + 1))


def test_weights_that_change_all_the_time_are_fed(sessions: list[clconv.Session]) -> None:
    module = nn.Conv2d(3, 2, 3).eval()
    compiled = torch.compile(module, backend=backend)
    x = torch.randn(1, 3, 5, 5)
    with torch.no_grad():
        for _ in range(6):
            module.weight.add_(1)
            close(compiled(x), module(x))
    assert len(sessions) == 3 and len(sessions[-1].inputs) == 3


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_weights_that_change_behind_pytorchs_back_are_noticed(layout: Any) -> None:
    module = nn.Conv2d(3, 2, 3).eval().to(memory_format=layout)
    compiled = torch.compile(module, backend=backend)
    x = torch.randn(1, 3, 5, 5)
    with torch.no_grad():
        close(compiled(x), module(x))
        module.weight.data.mul_(3)
        close(compiled(x), module(x))
        module.weight.data = torch.randn(2, 3, 3, 3)  # other memory
        close(compiled(x), module(x))
        for _ in range(3):  # an input that lies where the weights lay
            x = torch.randn(2, 3, 3, 3)
            close(compiled(x), module(x))


def test_threads_may_share_a_compiled_module(sessions: list[clconv.Session]) -> None:
    module = nn.Conv2d(3, 2, 3).eval()
    compiled = torch.compile(module, backend=backend)
    pictures = [torch.randn(1, 3, 5, 5) for _ in range(8)]

    def run(x: Any) -> Any:
        with torch.no_grad():
            return compiled(x)

    run(pictures[0])  # PyTorch's tracing is not for several threads
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for x, found in zip(pictures, pool.map(run, pictures), strict=True):
            with torch.no_grad():
                close(found, module(x))
    assert len(sessions) == 1


def test_gradients_are_pytorchs(sessions: list[clconv.Session]) -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 2))
    twin = copy.deepcopy(module)
    compiled = torch.compile(module, backend=backend)
    rates = [torch.optim.SGD(m.parameters(), lr=0.1) for m in (module, twin)]
    for _ in range(3):
        x = torch.randn(2, 3, 6, 6)
        for run, rate in zip((compiled, twin), rates, strict=True):
            rate.zero_grad()
            run(x).square().sum().backward()
            rate.step()
        for one, other in zip(module.parameters(), twin.parameters(), strict=True):
            close(one.grad, other.grad)
            close(one, other)
    assert len(sessions) == 1


class Mixed(nn.Module):
    """Two convolutions around what clconv does not have."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 2, 3)

    def forward(self, x: Any) -> Any:
        y = self.first(x)
        return self.second(y).tanh() + torch.linalg.eigvals(y[0, 0]).real.sum()


@pytest.mark.slow
def test_what_clconv_lacks_stays_in_pytorch_and_is_told_once(
    sessions: list[clconv.Session],
) -> None:
    module = Mixed().eval()
    compiled = torch.compile(module, backend=backend)
    x = torch.randn(1, 3, 6, 6)
    with torch.no_grad(), warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", ClconvWarning)
        close(compiled(x), module(x))
        close(compiled(x + 1), module(x + 1))
    said = [str(w.message) for w in told if w.category is ClconvWarning]
    assert len(said) == 1
    assert said[0].startswith("torch.compile: some operators stay in PyTorch: aten.linalg_eig")
    assert "conv" not in said[0] and sessions
    assert {node.op for s in sessions for node in s.imported.nodes} >= {"Conv", "Tanh"}


@pytest.mark.slow
def test_a_process_that_compiled_ends_quietly() -> None:
    code = (
        "import torch, clconv; from clconv.bridges.torch_compile import backend; "
        "module = torch.nn.Conv2d(3, 2, 3).eval(); compiled = torch.compile(module, backend=backend); "
        "context = torch.no_grad(); context.__enter__(); compiled(torch.zeros(1, 3, 5, 5))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True
    )
    assert "Traceback" not in done.stderr and "ignored" not in done.stderr


@pytest.mark.slow
def test_batch_norms_learn_in_pytorch(sessions: list[clconv.Session]) -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1))
    twin = copy.deepcopy(module)
    compiled = torch.compile(module, backend=backend)
    x = torch.randn(2, 3, 6, 6)
    with pytest.warns(ClconvWarning, match=r"stay in PyTorch: aten._native_batch_norm"):
        found = compiled(x)
    close(found, twin(x))
    close(module[1].running_mean, twin[1].running_mean)
    assert len(sessions) == 2


def test_random_numbers_are_pytorchs() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Dropout(0.5))
    compiled = torch.compile(module, backend=backend)
    x = torch.randn(1, 3, 6, 6)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore", ClconvWarning)
        first, again = compiled(x), compiled(x)
    assert not torch.equal(first, again) and 0 < (first == 0).float().mean() < 1


def test_a_result_that_differs_is_not_used(
    sessions: list[clconv.Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = clconv.Session.run
    monkeypatch.setattr(
        clconv.Session, "run", lambda self, feeds: {n: a + 1 for n, a in run(self, feeds).items()}
    )
    module = nn.Conv2d(3, 2, 3).eval()
    compiled = torch.compile(module, backend=backend)
    x = torch.randn(1, 3, 5, 5)
    with torch.no_grad(), pytest.warns(ClconvWarning, match="changed what the graph computes"):
        close(compiled(x), module(x))
    with torch.no_grad():
        close(compiled(x + 1), module(x + 1))


def test_options(sessions: list[clconv.Session]) -> None:
    module = nn.Conv2d(3, 2, 3).eval()
    x = torch.randn(1, 3, 5, 5)
    options = {"precision": "strict", "device": 0}
    compiled = torch.compile(module, backend=backend, options=options)
    with torch.no_grad():
        close(compiled(x), module(x))
    assert sessions[0].precision == "strict"
    torch._dynamo.reset()
    wrong = torch.compile(module, backend=backend, options={"fast": True})
    with pytest.raises(Exception, match="takes the options device, precision, not fast") as caught:
        wrong(x)
    reasons = [caught.value, caught.value.__cause__, caught.value.__context__]
    assert any(isinstance(reason, ConfigError) for reason in reasons)

"""PyTorch's modules as graphs, and torch.compile(backend="clconv"), against PyTorch itself."""

from __future__ import annotations

import concurrent.futures
import copy
import subprocess
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import clconv
from clconv import errors
from clconv.bridges import torch_region
from clconv.bridges.torch_compile import backend
from clconv.errors import ClconvWarning, ConfigError, InputError, ModelError
from clconv.layers import BatchNorm2d, Conv2d, Dense, Flatten, PRelu, Sequential, state_dict

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytest.importorskip("onnxscript", reason="PyTorch's exporter needs onnxscript")
nn = torch.nn

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")


@pytest.fixture(autouse=True)
def anew(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    torch.manual_seed(0)
    torch._dynamo.reset()
    monkeypatch.setattr(errors, "_warned", set())
    yield
    torch._dynamo.reset()


def small() -> Any:
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(), nn.Flatten(),
        nn.Linear(36, 5),
    )  # fmt: skip


def close(found: Any, expected: Any, most: float = 2e-5) -> None:
    expected = np.asarray(expected.detach())
    found = np.asarray(found.detach() if hasattr(found, "detach") else found)
    assert found.shape == expected.shape and found.dtype == expected.dtype
    assert np.abs(found - expected).max() <= most * max(1, np.abs(expected).max())


@pytest.fixture
def sessions(monkeypatch: pytest.MonkeyPatch) -> list[clconv.Session]:
    """Those that a compiled module opens."""
    found: list[clconv.Session] = []

    def load(*args: Any, **more: Any) -> clconv.Session:
        found.append(clconv.load(*args, **more))
        return found[-1]

    monkeypatch.setattr(torch_region, "load", load)
    return found


# from_torch


def test_a_module_becomes_a_graph() -> None:
    module = small()
    module[2].eval()
    x = torch.randn(2, 3, 6, 6)
    graph = clconv.from_torch(module, x)
    assert set(graph.parameters) <= module.state_dict().keys() and "6.weight" in graph.parameters
    assert [part.training for part in module] == [True, True, False, True, True, True, True]
    with clconv.load(graph) as session:
        assert list(session.inputs.values()) == [clconv.load(graph).inputs["input"]]
        close(session(x), module.eval()(x))


def test_sizes_stay_open_where_asked_for() -> None:
    class Two(nn.Module):
        def forward(self, x: Any, y: Any) -> Any:
            return x + 2 * y, x * y

    example = {"x": torch.zeros(2, 3), "y": torch.zeros(2, 3)}
    batch = torch.export.Dim("batch")
    graph = clconv.from_torch(Two(), example, {"x": {0: batch}, "y": {0: batch}})
    assert [str(s) for s in graph.input_specs().values()] == ["float32[batch x 3]"] * 2
    x, y = torch.randn(5, 3), torch.randn(5, 3)
    first, second = clconv.load(graph)(x, y).values()
    close(first, x + 2 * y)
    close(second, x * y)


def test_an_exported_program_becomes_a_graph() -> None:
    module, x = nn.Conv2d(3, 2, 3).eval(), torch.randn(1, 3, 5, 5)
    graph = clconv.from_torch(torch.export.export(module, (x,)), (x,))
    close(clconv.load(graph)(x), module(x))
    assert repr(clconv.from_torch(torch.compile(module), x)) == repr(graph)


def test_what_cannot_become_a_graph_is_told() -> None:
    class Eigenvalues(nn.Module):
        def forward(self, x: Any) -> Any:
            return torch.linalg.eigvals(x)

    with pytest.raises(ModelError, match=r"cannot export Eigenvalues: .*aten.linalg_eig"):
        clconv.from_torch(Eigenvalues(), torch.zeros(3, 3))
    with pytest.raises(InputError, match="a tensor, a tuple of tensors or a dict by name, not int"):
        clconv.from_torch(small(), 3)


def test_pytorchs_weights_fit_the_same_layers() -> None:
    theirs = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.PReLU(), nn.Sequential(nn.Conv2d(4, 2, 1)), nn.Flatten(),
        nn.Linear(32, 5),
    ).eval()  # fmt: skip
    with torch.no_grad():
        theirs[1].running_mean.uniform_()
        theirs[1].running_var.uniform_(0.5, 2)
    ours = Sequential(
        Conv2d(4, 3), BatchNorm2d(), PRelu(), Sequential(Conv2d(2, 1)), Flatten(), Dense(5)
    )
    graph = ours.build((3, 6, 6), weights=theirs.state_dict())
    x = torch.randn(1, 3, 6, 6)
    close(clconv.load(graph)(x), theirs(x))
    drawn = state_dict(ours.build((3, 6, 6), seed=3))
    drawn["2.weight"] = drawn["2.weight"][:1]  # PyTorch's default is one slope for all channels
    theirs.load_state_dict({n: torch.from_numpy(a.copy()) for n, a in drawn.items()})
    close(clconv.load(ours.build((3, 6, 6), weights=drawn))(x), theirs(x))


# torch.compile


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

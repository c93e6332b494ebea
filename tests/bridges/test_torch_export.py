"""PyTorch's modules as graphs, against PyTorch itself."""

from __future__ import annotations

from typing import Any

import pytest

import clconv
from clconv.errors import InputError, ModelError
from clconv.layers import BatchNorm2d, Conv2d, Dense, Flatten, PRelu, Sequential, state_dict
from tests.bridges.modules import close, nn, small, torch

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")


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

"""python -m tests.tools.torch_gradients: writes tests/training/torch/*.npz, PyTorch's numbers in float64.

Needs an environment with torch besides clconv; the tests that read the files need none. Gradients of every parameter
of the networks of tests/training/zoo.py, kept as sketches (tests/training/torch_cases.py); losses of steps of optimisers;
values and gradients of losses.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from clconv import losses, optim
from clconv.graph.ir import Graph
from clconv.training.losses import Loss
from clconv.training.model import learner
from clconv.training.optimisers import Optimizer
from tests.tools.torch_network import TorchNetwork
from tests.training.torch_cases import CURVES, FOLDER, LOSS_CASES, sketch
from tests.training.zoo import ZOO


def network(graph: Graph) -> tuple[TorchNetwork, dict[str, torch.Tensor]]:
    """The network and its parameters, which are those of the Trainer."""
    known = learner(graph)
    found = TorchNetwork(graph, frozenset(known.statistics))
    learned = {n: found.weights[n] for n in found.parameters(frozenset(known.statistics))}
    assert set(learned) == set(known.parameters), set(learned) ^ set(known.parameters)
    return found, learned


def gradients() -> dict[str, np.ndarray]:
    kept = {}
    for name, entry in ZOO.items():
        found, learned = network(entry.make())
        x, y = entry.data()
        loss = F.cross_entropy(found(x), torch.tensor(y))
        loss.backward()  # type: ignore[no-untyped-call]
        kept[f"{name}//loss"] = np.array(loss.item())
        for parameter, weight in learned.items():
            key = f"{name}//{parameter}"
            kept[key] = sketch(key, weight.grad)
    return kept


def optimizer(given: Optimizer, weights: list[torch.Tensor]) -> Any:
    lr, decay = float(given.lr), given.weight_decay  # type: ignore[arg-type]
    match given:
        case optim.SGD():
            more = {"momentum": given.momentum, "nesterov": given.nesterov}
            return torch.optim.SGD(weights, lr, weight_decay=decay, **more)
        case optim.AdamW():
            return torch.optim.AdamW(weights, lr, given.betas, given.eps, decay)
        case optim.Adam():
            return torch.optim.Adam(weights, lr, given.betas, given.eps, decay)
        case optim.Adagrad():
            return torch.optim.Adagrad(weights, lr, given.lr_decay, decay, eps=given.eps)
        case optim.RMSprop():
            how = {"momentum": given.momentum, "centered": given.centered, "weight_decay": decay}
            return torch.optim.RMSprop(weights, lr, given.alpha, given.eps, **how)
    raise TypeError(given)


def curves() -> dict[str, np.ndarray]:
    kept = {}
    for label, curve in CURVES.items():
        entry = ZOO[curve.network]
        found, learned = network(entry.make())
        steps = optimizer(curve.optimizer, list(learned.values()))
        lost = []
        for x, y in curve.data():
            steps.zero_grad()
            loss = F.cross_entropy(found(x), torch.tensor(y))
            loss.backward()  # type: ignore[no-untyped-call]
            steps.step()
            lost.append(loss.item())
        kept[label] = np.array(lost)
        for name in learner(entry.make()).statistics:
            kept[f"{label}//{name}"] = found.weights[name].numpy()
    return kept


def value(loss: Loss, logits: torch.Tensor, y: np.ndarray) -> torch.Tensor:
    target = torch.tensor(y, dtype=torch.float64 if y.dtype.kind == "f" else torch.int64)
    match loss:
        case losses.CrossEntropy():
            weight = None if loss.weight is None else torch.tensor(loss.weight, dtype=torch.float64)
            how = {"ignore_index": loss.ignore_index, "label_smoothing": loss.label_smoothing}
            return F.cross_entropy(logits, target, weight, **how)
        case losses.BinaryCrossEntropy():
            return F.binary_cross_entropy_with_logits(logits, target)
        case losses.MeanSquaredError():
            return F.mse_loss(logits, target)
        case losses.MeanAbsoluteError():
            return F.l1_loss(logits, target)
        case losses.Huber():
            return F.huber_loss(logits, target, delta=loss.delta)
        case losses.Perceptron():  # by its formula
            return torch.clamp(-target * logits, min=0).sum(1).mean()
    raise TypeError(loss)


def loss_values() -> dict[str, np.ndarray]:
    kept = {}
    for label, case in LOSS_CASES.items():
        given, y = case.data()
        logits = torch.tensor(given, dtype=torch.float64, requires_grad=True)
        found = value(case.loss, logits, y)
        found.backward()  # type: ignore[no-untyped-call]
        assert logits.grad is not None
        kept[label], kept[f"{label}//gradient"] = np.array(found.item()), logits.grad.numpy()
    return kept


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, make in (("losses", loss_values), ("gradients", gradients), ("curves", curves)):
        if len(sys.argv) > 1 and name not in sys.argv[1:]:
            continue
        kept = {"torch": np.array(torch.__version__), **make()}
        np.savez_compressed(FOLDER / f"{name}.npz", **kept)
        size = (FOLDER / f"{name}.npz").stat().st_size
        print(f"{name}: {len(kept)} arrays, {size:,} bytes")


if __name__ == "__main__":
    main()

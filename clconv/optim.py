"""Optimisers and learning-rate schedules for clconv.Trainer. Names and defaults are PyTorch's."""

from clconv.training.optimisers import SGD, Adagrad, Adam, AdamW, Optimizer, RMSprop
from clconv.training.schedules import constant, cosine, multi_step, step_decay, warm_up

__all__ = [
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "Optimizer",
    "RMSprop",
    "constant",
    "cosine",
    "multi_step",
    "step_decay",
    "warm_up",
]

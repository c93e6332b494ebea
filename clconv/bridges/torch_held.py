"""Weights of a compiled module: which arguments they are, and whether they have changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_SAMPLES = 16  # elements of each weight that are compared at every call


class HeldWeights:
    """Weights are constants until they have changed more often than `changes` times.

    held: tensors that share the weights' memory, by where it begins: while they live no other tensor lies there.
    """

    def __init__(self, held: Mapping[int, Any], changes: int) -> None:
        self.held, self.changes = held, changes
        self._versions: dict[int, tuple[int, int]] = {}
        self._views: list[Any] = []
        self._sampled: Any = None

    def among(self, args: Sequence[Any]) -> tuple[dict[int, Any], bool]:
        """The arguments that are constants, by place, and whether any is another than at the last call.

        A change shows in PyTorch's version counter, or, as what is done to `tensor.data` does not, in a few elements.
        """
        import torch

        if self.changes < 0:
            return {}, False
        found = {
            i: arg
            for i, arg in enumerate(args)
            if isinstance(arg, torch.Tensor)
            and not arg.is_inference()
            and arg.untyped_storage().data_ptr() in self.held
        }
        versions = {i: (arg.data_ptr(), arg._version) for i, arg in found.items()}
        if versions == self._versions and (not found or torch.equal(self._sample(), self._sampled)):
            return found, False
        changed = bool(self._versions)
        self.changes -= changed
        self._versions = versions
        self._views = [_sample_of(arg) for arg in found.values() if arg.numel()]
        self._sampled = self._sample()
        return ({} if self.changes < 0 else found), changed

    def _sample(self) -> Any:
        import torch

        return torch.cat(self._views) if self._views else torch.empty(0)


def _sample_of(tensor: Any) -> Any:
    """A few elements of a tensor, in its own memory."""
    whole = tensor.untyped_storage().nbytes() // tensor.element_size() - tensor.storage_offset()
    count = min(tensor.numel(), whole)
    stride = max(1, count // _SAMPLES)
    return tensor.detach().as_strided((-(-count // stride),), (stride,))

"""Pictures as batches: read and decoded on threads while the device computes."""

from __future__ import annotations

import collections
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from clconv.cli.pictures.opening import on_white, open_picture
from clconv.cli.pixels import PicturePlacement, Pixels, to_tensor
from clconv.cli.training.augment import Augmentation
from clconv.cli.training.listing import Listing
from clconv.graph.ir import DType
from clconv.training.batches import Batch

_AHEAD = 3  # batches that are made before they are asked for
_WORKERS = 4


class PictureExamples:
    """The pictures of a listing for an input. augmentation: None for the middle of each as it is. axes: of the output that
    a class is compared with."""

    def __init__(
        self,
        listing: Listing,
        name: str,
        placement: PicturePlacement,
        pixels: Pixels,
        augmentation: Augmentation | None,
        seed: int,
        axes: int = 2,
    ) -> None:
        self._listing, self._name, self._placement = listing, name, placement
        self._pixels, self._augmentation, self._seed = pixels, augmentation, seed
        self._behind = (1,) * (axes - 2)

    def __len__(self) -> int:
        return len(self._listing)

    def batches(self, order: list[list[int]], epoch: int) -> Iterator[Batch]:
        """The pictures of these numbers, batch by batch. The same epoch and number give the same picture."""
        with ThreadPoolExecutor(_WORKERS) as pool:
            ahead: collections.deque[list[Future[np.ndarray]]] = collections.deque()
            waiting = iter(order)

            def begin() -> None:
                numbers = next(waiting, None)
                if numbers is not None:
                    ahead.append([pool.submit(self._tensor, n, epoch) for n in numbers])

            for _ in range(_AHEAD):
                begin()
            try:
                for numbers in order:
                    arrays = [future.result() for future in ahead.popleft()]
                    begin()
                    classes = np.array([self._listing.classes[n] for n in numbers], np.int64)
                    labels = classes.reshape(-1, *self._behind)
                    yield Batch({self._name: np.concatenate(arrays)}, labels)
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _tensor(self, number: int, epoch: int) -> np.ndarray:
        picture = open_picture(self._listing.files[number]).image
        if self._augmentation is not None and epoch >= 0:
            rng = np.random.Generator(np.random.PCG64([self._seed, epoch, number]))
            size = (self._placement.width, self._placement.height)
            picture = self._augmentation.apply(on_white(picture)[0].convert("RGB"), size, rng)
        return to_tensor(picture, self._placement, self._pixels, DType.FLOAT32)

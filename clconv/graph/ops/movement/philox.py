"""Philox4x32-10, a generator without a state: what it draws follows from a key and a counter alone.

Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (2011), figure 2 and table 2. Any element can be drawn
anywhere, so that every device draws the same, and a mask need not be kept. kernels/movement/dropout has it in OpenCL C.
"""

from __future__ import annotations

import numpy as np

MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)  # what a round adds to the key
ROUNDS = 10
LANES = 8  # counters whose words lie side by side
_LOW, _WORD = np.uint64(0xFFFFFFFF), np.uint64(32)


def philox(counter: np.ndarray, step: int, key: tuple[int, int]) -> np.ndarray:
    """Four words below 2^32 of each counter, as (4, counters). step: the upper 64 bits of the counter."""
    wide = counter.astype(np.uint64)
    high = [np.full(wide.shape, (step >> shift) & 0xFFFFFFFF, np.uint64) for shift in (0, 32)]
    a, b, c, d = wide & _LOW, wide >> _WORD, *high
    k0, k1 = key
    for _ in range(ROUNDS):
        first, second = np.uint64(MULTIPLIERS[0]) * a, np.uint64(MULTIPLIERS[1]) * c
        a, b, c, d = (
            (second >> _WORD) ^ b ^ np.uint64(k0), second & _LOW,
            (first >> _WORD) ^ d ^ np.uint64(k1), first & _LOW,
        )  # fmt: skip
        k0, k1 = (k0 + WEYL[0]) & 0xFFFFFFFF, (k1 + WEYL[1]) & 0xFFFFFFFF
    return np.stack((a, b, c, d))


def random_words(count: int, step: int, key: tuple[int, int]) -> np.ndarray:
    """`count` words below 2^32. Word i is number i / 8 % 4 of counter i / 32 * 8 + i % 8, so that vectors of eight
    counters give neighbours."""
    blocks = -(-count // (4 * LANES))
    words = philox(np.arange(blocks * LANES), step, key)
    return words.reshape(4, blocks, LANES).swapaxes(0, 1).reshape(-1)[:count]

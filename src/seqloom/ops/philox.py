"""Philox4x32-10, the counter-based generator behind zoneout and the dropouts of every step: any number can be computed
on its own.

Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC'11 (the Random123 library).

How the numbers are addressed, alike in the native engine:
- key of a scan = the first two words of philox(counter=(call low, call high, layer, 0x5EC70017), key=(seed low, seed
  high));
- counter of a number = (unit // 4, step, row, stream); the number is word unit % 4 of the result;
- streams: 0 zoneout of h, 1 zoneout of c, 2 candidate dropout, 3 dropout behind a convolution;
- an event of probability p happens where word < round(p·2³²). step is the index in time of the array, also when the
  scan runs in reverse.
"""

from __future__ import annotations

import numpy as np

from seqloom.ops.cell import StepRandom

__all__ = [
    "STREAM_CANDIDATE",
    "STREAM_CELL",
    "STREAM_CONV",
    "STREAM_HIDDEN",
    "events",
    "philox4x32",
    "scan_key",
    "threshold",
]

STREAM_HIDDEN, STREAM_CELL, STREAM_CANDIDATE, STREAM_CONV = range(4)

# The paper's constants; those added to the key come from the golden ratio and from √3 − 1.
_MULTIPLIER_0, _MULTIPLIER_1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_WEYL_0, _WEYL_1 = 0x9E3779B9, 0xBB67AE85
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
# Ours: any fixed number, alike in the native engine, as every draw hangs on it.
_DOMAIN = 0x5EC70017


# 10 rounds are the paper's default; 7 already pass its statistical tests.
def philox4x32(counter: np.ndarray, key: tuple[int, int], rounds: int = 10) -> np.ndarray:
    """Return the four 32-bit words for each counter: (..., 4) unsigned 32-bit in, the same shape out.

    >>> [hex(word) for word in philox4x32(np.zeros(4, dtype=np.uint32), (0, 0))]
    ['0x6627e8d5', '0xe169c58d', '0xbc57ac4c', '0x9b00dbd8']
    """
    c0, c1, c2, c3 = (counter[..., i].astype(np.uint64) for i in range(4))
    k0, k1 = int(key[0]), int(key[1])
    for _ in range(rounds):
        # In 64 bits, as a product of two 32-bit words needs them.
        product_0, product_1 = c0 * _MULTIPLIER_0, c2 * _MULTIPLIER_1
        c0, c1, c2, c3 = (
            (product_1 >> _HALF) ^ c1 ^ np.uint64(k0),
            product_1 & _LOW,
            (product_0 >> _HALF) ^ c3 ^ np.uint64(k1),
            product_0 & _LOW,
        )
        k0, k1 = (k0 + _WEYL_0) & 0xFFFFFFFF, (k1 + _WEYL_1) & 0xFFFFFFFF
    return np.stack([c0, c1, c2, c3], axis=-1).astype(np.uint32)


def scan_key(random: StepRandom) -> tuple[int, int]:
    """Return the two key words of one scan."""
    seed, call = int(random.seed) & (2**64 - 1), random.call & (2**64 - 1)
    counter = np.array([call & 0xFFFFFFFF, call >> 32, random.layer & 0xFFFFFFFF, _DOMAIN], dtype=np.uint32)
    words = philox4x32(counter, (seed & 0xFFFFFFFF, seed >> 32))
    return int(words[0]), int(words[1])


def threshold(probability: float) -> int:
    """Return round(p·2³²): an event of probability p happens where a word lies below it."""
    # A probability near 1 rounds to 2³², which no 32-bit word holds.
    return min(round(probability * 2**32), 2**32 - 1)


def events(random: StepRandom, stream: int, rows: int, steps: int, units: int, probability: float) -> np.ndarray:
    """Return (rows, steps, units) bool: where an event of this probability happens.

    Any part of a larger draw is the same draw: the numbers depend on (row, step, unit) alone, not on the sizes.
    """
    # One call of the generator makes four words, so units go by fours and the rest is cut off.
    counter = np.empty((rows, steps, (units + 3) // 4, 4), dtype=np.uint32)
    counter[..., 0] = np.arange((units + 3) // 4, dtype=np.uint32)
    counter[..., 1] = np.arange(steps, dtype=np.uint32)[:, None]
    counter[..., 2] = np.arange(rows, dtype=np.uint32)[:, None, None]
    counter[..., 3] = stream
    words = philox4x32(counter, scan_key(random)).reshape(rows, steps, counter.shape[2] * 4)[..., :units]
    # Whole numbers are compared, not floats: the native engine decides alike to the last event.
    return words < np.uint32(threshold(probability))

"""Philox4x32-10 against the known answers of Random123 and a plain-integer twin; how its numbers are addressed."""

from __future__ import annotations

import numpy as np
import pytest

from oracles.numpy_recurrent import scalar_philox
from seqloom.ops.cell import StepRandom
from seqloom.ops.philox import STREAM_CELL, STREAM_HIDDEN, events, philox4x32, scan_key, threshold

KNOWN = [  # Random123, kat_vectors: philox4x32 10
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("counter", "key", "words"), KNOWN)
def test_known_answers(counter, key, words):
    assert tuple(philox4x32(np.array(counter, dtype=np.uint32), key).tolist()) == words
    assert tuple(scalar_philox(counter, key)) == words


def test_many_at_once():
    counters = np.random.default_rng(3).integers(0, 2**32, (5, 7, 4), dtype=np.uint32)
    words = philox4x32(counters, (12345, 0xDEADBEEF))
    for index in np.ndindex(5, 7):
        assert words[index].tolist() == scalar_philox([int(c) for c in counters[index]], (12345, 0xDEADBEEF))


def test_part_of_a_draw_is_the_same_draw():
    random = StepRandom(2**63 + 11, 2**33 + 5, 3)
    whole = events(random, STREAM_HIDDEN, 9, 8, 13, 0.3)
    np.testing.assert_array_equal(events(random, STREAM_HIDDEN, 4, 5, 6, 0.3), whole[:4, :5, :6])


def test_address():
    """Counter (unit // 4, step, row, stream) and word unit % 4, under a key made of seed, call and layer."""
    random = StepRandom(seed=0x0123456789ABCDEF, call=0x1122334455667788, layer=5)
    key = scalar_philox((0x55667788, 0x11223344, 5, 0x5EC70017), (0x89ABCDEF, 0x01234567))[:2]
    assert scan_key(random) == tuple(key)
    drawn = events(random, STREAM_CELL, 3, 4, 10, 0.5)
    for b, t, u in np.ndindex(3, 4, 10):
        assert drawn[b, t, u] == (scalar_philox((u // 4, t, b, STREAM_CELL), key)[u % 4] < 2**31)


def test_rate_and_independence():
    draws = {}
    for seed, call, layer, stream in ((1, 0, 0, 0), (2, 0, 0, 0), (1, 1, 0, 0), (1, 0, 1, 0), (1, 0, 0, 1)):
        drawn = events(StepRandom(seed, call, layer), stream, 40, 50, 20, 0.25)
        assert abs(drawn.mean() - 0.25) < 4 * np.sqrt(0.25 * 0.75 / drawn.size)
        draws[seed, call, layer, stream] = drawn
    first = draws.pop((1, 0, 0, 0))
    for other in draws.values():  # independent draws agree on p² + (1−p)² of all places
        assert abs((first == other).mean() - 0.625) < 0.01


def test_threshold():
    assert threshold(0.0) == 0
    assert threshold(0.5) == 2**31
    assert threshold(1.0) == 2**32 - 1

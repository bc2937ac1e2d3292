"""Block matching finds the motion that was made, and advection carries a frame along it."""

from __future__ import annotations

import numpy as np
import pytest

from seqloom_runtime.frames.advection import advected, motion, moved


def blobs(shift: tuple[float, float], steps: int = 4, side: int = 24, seed: int = 0) -> np.ndarray:
    """One film (1, T, side, side, 1) of soft spots that all move alike."""
    draw = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    film = np.zeros((1, steps, side, side, 1))
    for place in draw.uniform(0, side, (12, 2)):
        for t in range(steps):
            at = place + t * np.array(shift)
            film[0, t, :, :, 0] += np.exp(-((y - at[0]) ** 2 + (x - at[1]) ** 2) / 8)
    return film


@pytest.mark.parametrize("shift", [(0.0, 0.0), (2.0, -1.0), (1.5, 2.5), (-0.4, 0.3)])
@pytest.mark.parametrize("blocks", [1, 2])
def test_motion_is_found_to_a_fraction_of_a_pixel(shift: tuple[float, float], blocks: int) -> None:
    found = motion(blobs(shift), blocks, 4)
    assert found.shape == (1, blocks, blocks, 2)
    np.testing.assert_allclose(found, np.broadcast_to(shift, found.shape), atol=0.3 if blocks == 1 else 0.5)


def test_advection_is_better_than_the_last_frame() -> None:
    film = blobs((1.5, 1.0), 6)
    found = advected(film[:, :4], 2, blocks=1, reach=3)
    inner = (slice(None), slice(None), slice(6, -4), slice(6, -4))
    ours = np.square(found - film[:, 4:])[inner].mean()
    stays = np.square(film[:, 3:4] - film[:, 4:])[inner].mean()
    assert ours < stays / 30


def test_parts_move_their_own_way_and_empty_frames_stay() -> None:
    film = np.zeros((1, 2, 16, 16, 1))
    film[0, 0, 2:5, 2:5], film[0, 1, 2:5, 3:6] = 1.0, 1.0
    film[0, 0, 10:13, 10:13], film[0, 1, 11:14, 10:13] = 1.0, 1.0
    found = motion(film, 2, 2)[0]
    np.testing.assert_allclose(found[0, 0], (0.0, 1.0), atol=0.15)
    np.testing.assert_allclose(found[1, 1], (1.0, 0.0), atol=0.15)
    assert motion(np.zeros((2, 3, 8, 8, 1)), 1, 2).tolist() == [[[[0.0, 0.0]]]] * 2
    assert motion(film[:, :1], 1, 2).tolist() == [[[[0.0, 0.0]]]]


def test_moved_reads_between_pixels_and_stops_at_the_edge() -> None:
    frame = np.arange(12.0).reshape(1, 3, 4, 1)
    shift = np.broadcast_to((0.0, 0.5), (1, 3, 4, 2))
    assert moved(frame, shift)[0, 0, :, 0].tolist() == [0.0, 0.5, 1.5, 2.5]
    assert moved(frame, np.broadcast_to((-1.0, 0.0), (1, 3, 4, 2)))[0, :, 0, 0].tolist() == [4.0, 8.0, 8.0]
    assert moved(np.full((1, 1, 1, 1), 7.0), np.ones((1, 1, 1, 2))).tolist() == [[[[7.0]]]]

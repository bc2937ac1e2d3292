"""Films made for studies: digits that bounce off the walls, and rain as a radar sees it, carried by the wind."""

from __future__ import annotations

import numpy as np

__all__ = ["moving_digits", "rain"]

_SMALL = 14  # side of a digit: MNIST's 28, every two pixels as one
_MINUTES = 10  # between two images of the rain


def moving_digits(images: np.ndarray, count: int, steps: int, *, side: int = 32, seed: int = 0) -> np.ndarray:
    """Films (count, steps, side, side) uint8 of two of `images` (M, 28, 28), at half their size, each on a straight way
    of 1 to 3 pixels a frame until it bounces; where they overlap the brighter one is seen.

    Source: Srivastava et al. (2015), arXiv 1502.04681, at half its size.
    """
    draw = np.random.default_rng(seed)
    room = side - _SMALL
    films = np.zeros((count, steps, side, side), dtype=np.uint8)
    for film in films:
        pair = images[draw.integers(len(images), size=2)].reshape(2, _SMALL, 2, _SMALL, 2)
        for digit in pair.mean(axis=(2, 4)).round().astype(np.uint8):
            angle, speed = draw.uniform(0, 2 * np.pi), draw.uniform(1, 3)
            way = draw.uniform(0, room, 2)[:, None] + speed * np.arange(steps) * np.array(
                [[np.sin(angle)], [np.cos(angle)]]
            )
            # To and fro between the walls: the way folded at both of them.
            top, left = np.round(room - np.abs(way % (2 * room) - room)).astype(int)
            for frame, y, x in zip(film, top, left):
                part = frame[y : y + _SMALL, x : x + _SMALL]
                np.maximum(part, digit, out=part)
    return films


def rain(count: int, steps: int, *, side: int = 32, seed: int = 0) -> np.ndarray:
    """Films (count, steps, side, side) float32 of rain in mm/h, an image every ten minutes.

    A film has one wind, 1 to 3 pixels an image, that turns slowly. Showers (round, of 2 to 5 pixels) are born
    anywhere, grow and fade over about an hour and a half; a shower that is large is late in its life. Over the hills,
    the same strip of the grid in every film, all rain grows by 15 % an image, and behind them it fades as fast.
    """
    draw = np.random.default_rng(seed)
    margin = 3 * steps + 8  # showers come in from outside
    films = np.empty((count, steps, side, side), dtype=np.float32)
    pixels = np.arange(side)
    for film in films:
        angle, speed, turn = draw.uniform(0, 2 * np.pi), draw.uniform(1, 3), draw.normal(0, 0.04)
        angles = angle + turn * np.arange(steps)
        way = np.cumsum(np.stack([speed * np.sin(angles), speed * np.cos(angles)], axis=1), axis=0) - speed
        number = draw.poisson(0.006 * (side + 2 * margin) ** 2)
        born, life = draw.uniform(-9, steps, number), draw.uniform(7, 11, number)
        first = draw.uniform(-margin, side + margin, (number, 2))
        widest, peak = draw.uniform(2.0, 5.0, number), draw.gamma(2.0, 3.0, number)
        for t in range(steps):
            age, place = (t - born) / life, first + way[t]
            here = (age > 0) & (age < 1) & (np.abs(place - side / 2) < side / 2 + 12).all(axis=1)
            width = (widest * (0.5 + 0.7 * age))[here, None]
            tall, wide = (np.exp(-(((pixels - place[here, axis, None]) / width) ** 2) / 2) for axis in (0, 1))
            film[t] = np.einsum("n,ny,nx->yx", (peak * np.sin(np.pi * age))[here], tall, wide)
        film *= _hills(side)
    films[films < 0.1] = 0.0
    return films


def _hills(side: int) -> np.ndarray:
    """What the ground makes of the rain (side, side): more of it over a strip of hills."""
    across = np.arange(side) / side
    return np.tile(1.0 + 1.5 * np.exp(-(((across - 0.55) / 0.12) ** 2)), (side, 1))

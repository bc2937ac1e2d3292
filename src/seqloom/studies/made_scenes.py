"""Pictures with captions made for a study: one to three MNIST digits and shapes, named from left to right."""

from __future__ import annotations

import numpy as np

__all__ = ["SHAPES", "scenes"]

_SIDE, _TALL, _COLUMNS = 20, 40, 3  # of a digit without its margin, of the picture, and of where things stand
_WIDE = _COLUMNS * (_SIDE + 4)
_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SHAPES = ("circle", "square", "triangle", "cross")


def scenes(images: np.ndarray, labels: np.ndarray, count: int, *, seed: int = 0) -> tuple[np.ndarray, list[str]]:
    """Pictures (count, 40, 72) uint8 and their captions, such as "a three, a circle and a seven".

    images, labels: MNIST's (M, 28, 28) and (M,). Each thing stands in one of three columns, anywhere in it.

    >>> pictures, texts = scenes(np.full((1, 28, 28), 9, np.uint8), np.array([4]), 40, seed=1)
    >>> pictures.shape, "a four" in texts, len(set(texts)) > 10
    ((40, 40, 72), True, True)
    """
    draw = np.random.default_rng(seed)
    pictures, texts = np.zeros((count, _TALL, _WIDE), dtype=np.uint8), []
    margin = (28 - _SIDE) // 2
    for picture in pictures:
        columns = np.sort(draw.permutation(_COLUMNS)[: draw.integers(1, _COLUMNS + 1)])
        names = []
        for column in columns:
            if draw.random() < 0.35:
                name = SHAPES[draw.integers(len(SHAPES))]
                thing = _shape(name, draw)
            else:
                number = draw.integers(len(images))
                name = _DIGITS[labels[number]]
                thing = images[number, margin : margin + _SIDE, margin : margin + _SIDE]
            top, left = draw.integers(0, _TALL - _SIDE + 1), column * (_SIDE + 4) + draw.integers(0, 5)
            picture[top : top + _SIDE, left : left + _SIDE] = thing
            names.append(f"a {name}" if name != "eight" else "an eight")
        texts.append(names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}")
    return pictures, texts


def _shape(name: str, draw: np.random.Generator) -> np.ndarray:
    """A shape (20, 20) of 10 to 18 pixels, drawn with a line of two or three."""
    y, x = np.mgrid[:_SIDE, :_SIDE] - (_SIDE - 1) / 2
    half, line = draw.uniform(5, 9), draw.uniform(1.0, 1.6)
    if name == "circle":
        away = np.abs(np.hypot(y, x) - half)
    elif name == "square":
        away = np.abs(np.maximum(np.abs(y), np.abs(x)) - half)
    elif name == "triangle":
        # The largest of the distances to its three sides.
        away = np.abs(np.maximum.reduce([y - half * 0.7, (np.abs(x) * 0.894 - y * 0.447) - half * 0.626]))
    else:
        away = np.where(np.maximum(np.abs(y), np.abs(x)) > half, 9.0, np.abs(np.abs(y) - np.abs(x)) / np.sqrt(2))
    return np.where(away <= line, 230, 0).astype(np.uint8)

"""Frames that move on as they moved so far: block matching, and the last frame carried along (advection).

The baselines of frames ahead: a forecast of rain from radar is worth what it adds to the motion that anyone can see.
Frames (N, L, Y, X, C); shifts in pixels a frame, (down, right).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

__all__ = ["advected", "motion", "moved"]

_PAIRS = 3  # of the last frames, whose motion is taken as one
_WHOLE = 0.1  # weight of the whole frame's match in that of a block: it decides where a block is empty


def motion(frames: np.ndarray, blocks: int, reach: int) -> np.ndarray:
    """The shift of each of blocks × blocks parts of a frame, (N, blocks, blocks, 2), from the last frames.

    Of the whole shifts of up to `reach` pixels the one with the least mean squared difference, over the last four
    frames; then a parabola through it and its neighbours gives the fraction of a pixel.

    >>> first = np.zeros((1, 8, 8, 1)); first[0, 2:4, 2:4] = 1.0
    >>> frames = np.stack([first, np.roll(first, (1, 2), (1, 2))], axis=1)
    >>> motion(frames, 1, 3).round(1).tolist()
    [[[[1.0, 2.0]]]]
    """
    pairs = min(_PAIRS, frames.shape[1] - 1)
    before, after = frames[:, -1 - pairs : -1].astype(np.float32), frames[:, -pairs:].astype(np.float32)
    size, count = 2 * reach + 1, len(frames)
    if not pairs:
        return np.zeros((count, blocks, blocks, 2))
    costs = np.empty((count, blocks, blocks, size, size))
    for down in range(-reach, reach + 1):
        for right in range(-reach, reach + 1):
            costs[..., down + reach, right + reach] = _cost(before, after, blocks, down, right)
    costs += _WHOLE * costs.mean(axis=(1, 2), keepdims=True)
    # Of equal costs the shortest shift: nothing moves where nothing is.
    steps = np.arange(-reach, reach + 1)
    order = np.argsort((steps[:, None] ** 2 + steps[None] ** 2).ravel(), kind="stable")
    best = order[costs.reshape(*costs.shape[:3], -1)[..., order].argmin(axis=-1)]
    y, x = np.divmod(best, size)
    n, i, j = np.ogrid[:count, :blocks, :blocks]
    fraction_y = _vertex(*(costs[n, i, j, np.clip(y + s, 0, size - 1), x] for s in (-1, 0, 1)), inside=_inner(y, size))
    fraction_x = _vertex(*(costs[n, i, j, y, np.clip(x + s, 0, size - 1)] for s in (-1, 0, 1)), inside=_inner(x, size))
    return np.stack([y - reach + fraction_y, x - reach + fraction_x], axis=-1)


def _cost(before: np.ndarray, after: np.ndarray, blocks: int, down: int, right: int) -> np.ndarray:
    """Mean squared difference (N, blocks, blocks) between frames and those before, shifted; of the pixels that overlap,
    and at least as much as in a quarter of the block."""
    tall, wide = after.shape[2:4]
    rows, columns = slice(max(0, down), tall + min(0, down)), slice(max(0, right), wide + min(0, right))
    old = slice(rows.start - down, rows.stop - down), slice(columns.start - right, columns.stop - right)
    error, overlap = np.zeros((len(after), tall, wide)), np.zeros((tall, wide))
    if rows.start < rows.stop and columns.start < columns.stop:
        error[:, rows, columns] = np.square(after[:, :, rows, columns] - before[:, :, old[0], old[1]]).sum(axis=(1, 4))
        overlap[rows, columns] = after.shape[1] * after.shape[4]
    found = np.empty((len(after), blocks, blocks))
    for i, j, part in _parts(tall, wide, blocks):
        most = (part[0].stop - part[0].start) * (part[1].stop - part[1].start) * after.shape[1] * after.shape[4]
        seen = overlap[part].sum()
        total = error[(slice(None), *part)].sum(axis=(1, 2))
        found[:, i, j] = total / seen if seen >= most / 4 else np.square(after).mean(axis=(1, 2, 3, 4)) + total + 1.0
    return found


def _parts(tall: int, wide: int, blocks: int) -> Iterator[tuple[int, int, tuple[slice, slice]]]:
    rows, columns = (np.linspace(0, size, blocks + 1).astype(int) for size in (tall, wide))
    for i in range(blocks):
        for j in range(blocks):
            yield i, j, (slice(rows[i], rows[i + 1]), slice(columns[j], columns[j + 1]))


def _inner(place: np.ndarray, size: int) -> np.ndarray:
    return (place > 0) & (place < size - 1)


def _vertex(left: np.ndarray, here: np.ndarray, right: np.ndarray, *, inside: np.ndarray) -> np.ndarray:
    """Where the parabola through three costs is lowest, within half a step; 0 at the edge and where they are alike."""
    bend = left - 2 * here + right
    # A match without error is whole: there the parabola would only tell how unlike the neighbours overlap.
    inside = inside & (here > 1e-6 * np.maximum(left, right))
    return np.where(inside & (bend > 1e-12), np.clip(0.5 * (left - right) / np.maximum(bend, 1e-12), -0.5, 0.5), 0.0)


def moved(frame: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Frames (N, Y, X, C) with what stood at p − shift(p) at each place p, shift (N, Y, X, 2): bilinear between pixels,
    beyond the edge the edge's values (semi-Lagrangian advection)."""
    count, tall, wide = frame.shape[:3]
    y = np.clip(np.arange(tall)[None, :, None] - shift[..., 0], 0, tall - 1)
    x = np.clip(np.arange(wide)[None, None] - shift[..., 1], 0, wide - 1)
    top, left = np.minimum(y.astype(int), max(0, tall - 2)), np.minimum(x.astype(int), max(0, wide - 2))
    under, beside = np.minimum(top + 1, tall - 1), np.minimum(left + 1, wide - 1)
    down, right = (y - top)[..., None], (x - left)[..., None]
    n = np.arange(count)[:, None, None]
    upper = (1 - right) * frame[n, top, left] + right * frame[n, top, beside]
    lower = (1 - right) * frame[n, under, left] + right * frame[n, under, beside]
    return (1 - down) * upper + down * lower


def advected(frames: np.ndarray, ahead: int, *, blocks: int, reach: int) -> np.ndarray:
    """The next `ahead` frames, (N, ahead, Y, X, C) float32: the last one, carried along the motion of the last four.

    >>> first = np.zeros((1, 8, 8, 1)); first[0, 2:4, 2:4] = 1.0
    >>> film = np.stack([np.roll(first, (0, n), (1, 2)) for n in range(4)], axis=1)
    >>> found = advected(film[:, :3], 1, blocks=1, reach=2)
    >>> float(np.abs(found[:, 0] - film[:, 3]).max()) < 0.01
    True
    """
    coarse = motion(frames, blocks, reach)
    tall, wide = frames.shape[2:4]
    flow = _spread(coarse, tall, wide)
    last = frames[:, -1].astype(np.float32)
    # From the last frame each time: to interpolate an interpolated frame would blur it more and more.
    return np.stack([moved(last, step * flow) for step in range(1, ahead + 1)], axis=1).astype(np.float32)


def _spread(coarse: np.ndarray, tall: int, wide: int) -> np.ndarray:
    """The shifts of blocks, (N, b, b, 2), at every pixel (N, Y, X, 2): bilinear between the blocks' middles."""
    blocks = coarse.shape[1]
    rows, columns = (np.clip((np.arange(size) + 0.5) * blocks / size - 0.5, 0, blocks - 1) for size in (tall, wide))
    grid = np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1)
    # `moved` reads at p − shift of a frame's own places; here the places are those of the coarse grid.
    top, left = grid[..., 0].astype(int), grid[..., 1].astype(int)
    under, beside = np.minimum(top + 1, blocks - 1), np.minimum(left + 1, blocks - 1)
    down, right = (grid[..., 0] - top)[None, ..., None], (grid[..., 1] - left)[None, ..., None]
    upper = (1 - right) * coarse[:, top, left] + right * coarse[:, top, beside]
    lower = (1 - right) * coarse[:, under, left] + right * coarse[:, under, beside]
    return (1 - down) * upper + down * lower

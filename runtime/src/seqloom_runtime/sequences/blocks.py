"""All sequences once, those of like length together, in blocks of bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ..data.sequences.ragged import Sequences
from ..data.text.batches import LengthSorted
from .scale import Scale

__all__ = ["outputs_of", "scoring_blocks"]

# A block holds at most 2¹⁷ steps of 32 numbers, 16 MiB in float32, so that memory doesn't grow with the data.
_MOST_STEPS = 1 << 17
_MOST_ROWS = 512


def scoring_blocks(
    sequences: Sequences, scale: Scale, width: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray | None]]:
    """Numbers of sequences, x (B, T, C) float32 and the mask (B, T) or None; width: of the widest layer."""
    longest = int(sequences.lengths.max())
    size = max(1, min(_MOST_ROWS, _MOST_STEPS * 32 // (longest * max(width, 32))))
    for numbers in LengthSorted(sequences.lengths, size):
        x, mask = sequences.padded(numbers)
        scaled = scale.scaled(x)
        if mask is not None:
            scaled[~mask] = 0.0  # the zeros of the padding became −mean / std
        yield numbers, scaled, mask


def outputs_of(
    network: Callable[[np.ndarray, np.ndarray | None], np.ndarray],
    sequences: Sequences,
    scale: Scale,
    shape: tuple[int, bool],
    width: int,
) -> np.ndarray:
    """What a network gives for all sequences, in their order: (N, O), or (rows, O) of every step, float64.

    network: x (B, T, C) and its mask in, (B, O) or (B, T, O) out. shape: O, and whether every step has them.
    """
    count, every_step = shape
    outputs = np.empty((len(sequences.values) if every_step else len(sequences), count), dtype=np.float64)
    for numbers, x, mask in scoring_blocks(sequences, scale, width):
        found = network(x, mask)
        if not every_step:
            outputs[numbers] = found
        else:
            outputs[sequences.rows(numbers)] = found.reshape(-1, count) if mask is None else found[mask]
    return outputs

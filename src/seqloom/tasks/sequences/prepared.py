"""Sequences and targets made ready: scaled batches for training in an order that resumes, and for scoring."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from seqloom_runtime.data import ShuffledOrigins
from seqloom_runtime.data.sequences import Sequences
from seqloom_runtime.data.text import LengthBuckets
from seqloom_runtime.sequences.blocks import scoring_blocks
from seqloom_runtime.sequences.scale import Scale

from ..drawn_batches import DrawnBatches

__all__ = ["Batch", "Examples", "Scale", "TrainingBatches", "scoring_batches"]

Batch = tuple[torch.Tensor, torch.Tensor | None, torch.Tensor, torch.Tensor]
"""x (B, T, C), mask (B, T) bool or None, the target y, and the weights w (B,) or (B, T) of its losses."""


@dataclass(frozen=True, eq=False)
class Examples:
    """What a network learns from or is scored on.

    target: class codes (N,) int64 or numbers (N, K) float32; of every step, (rows,) or (rows, K), with `every_step`.
    weight: (N,) or (rows,) float32, how much each counts in the loss; 0 for one that is left out.
    """

    sequences: Sequences
    target: np.ndarray
    weight: np.ndarray
    every_step: bool

    def take(self, numbers: np.ndarray) -> Examples:
        """The examples of these numbers."""
        rows = self.sequences.rows(numbers) if self.every_step else numbers
        return Examples(self.sequences.take(numbers), self.target[rows], self.weight[rows], self.every_step)


class TrainingBatches(DrawnBatches):
    """Examples without end, in an order that a seed fixes and a checkpoint can continue.

    Sequences of unequal length come in batches of like length. The weights of a batch are brought to such a sum that
    the mean over its rows is the loss: per_step, the weighted mean over all its counted steps, else the weighted sum
    over the steps of each sequence, and of the sequences the mean.
    """

    def __init__(self, examples: Examples, scale: Scale, batch_size: int, seed: int, *, per_step: bool = True) -> None:
        self._examples, self._scale, self._per_step = examples, scale, per_step
        lengths = examples.sequences.lengths
        # Without padding to save there is no need to keep like lengths together, which mixes a batch less well.
        if examples.sequences.equal:
            super().__init__(ShuffledOrigins(np.arange(len(lengths)), batch_size, seed))
        else:
            super().__init__(LengthBuckets(lengths, min(batch_size, len(lengths)), seed))

    def __next__(self) -> Batch:
        return make_batch(self._examples, self._scale, next(self._order), per_step=self._per_step)


def make_batch(examples: Examples, scale: Scale, numbers: np.ndarray, *, per_step: bool = True) -> Batch:
    """The tensors of the examples of these numbers."""
    sequences = examples.sequences
    x, mask = sequences.padded(numbers)
    if examples.every_step:
        y, _ = sequences.padded(numbers, examples.target)
        w, _ = sequences.padded(numbers, examples.weight)
    else:
        y, w = examples.target[numbers], examples.weight[numbers]
    if per_step:
        # The loss is a mean over rows: scaled so, it is the weighted mean over the steps that count. The smallest
        # float32 keeps a batch in which none counts from dividing by 0.
        w = w * np.float32(len(numbers) / max(float(w.sum(dtype=np.float64)), np.finfo(np.float32).tiny))
    scaled = scale.scaled(x)
    if mask is not None:
        scaled[~mask] = 0.0  # the zeros of the padding became −mean / std
    return (
        torch.from_numpy(scaled),
        None if mask is None else torch.from_numpy(mask),
        torch.from_numpy(np.ascontiguousarray(y)),
        torch.from_numpy(np.ascontiguousarray(w, dtype=np.float32)),
    )


def scoring_batches(
    sequences: Sequences, scale: Scale, width: int
) -> Iterator[tuple[np.ndarray, torch.Tensor, torch.Tensor | None]]:
    """`scoring_blocks` as tensors: all sequences once, (numbers, x, mask), those of like length together."""
    for numbers, x, mask in scoring_blocks(sequences, scale, width):
        yield numbers, torch.from_numpy(x), None if mask is None else torch.from_numpy(mask)

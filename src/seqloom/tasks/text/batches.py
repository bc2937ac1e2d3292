"""Batches of encoded texts as torch's tensors, and those of training in their order."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from seqloom_runtime.data import LengthBuckets
from seqloom_runtime.text.encoding import EncodedTexts

from ..drawn_batches import DrawnBatches

__all__ = ["TextBatches", "tensors"]


def tensors(texts: EncodedTexts, rows: np.ndarray, width: int | None = None) -> tuple[Tensor, Tensor]:
    """ids and lengths of the texts `rows`, as `EncodedTexts.batch` gives them."""
    ids, lengths = texts.batch(rows, width)
    return torch.from_numpy(ids), torch.from_numpy(lengths)


class TextBatches(DrawnBatches):
    """An endless iterator of training batches ((ids, lengths), classes (B,)), texts of like length together.

    The order is a pure function of the seed and goes on from `state()`.
    """

    def __init__(self, texts: EncodedTexts, classes: np.ndarray, batch_size: int, seed: int, width: int | None = None):
        self._texts, self._classes, self._width = texts, torch.from_numpy(classes), width
        super().__init__(LengthBuckets(texts.lengths, batch_size, seed))

    def __next__(self) -> tuple[tuple[Tensor, Tensor], Tensor]:
        rows = next(self._order)
        return tensors(self._texts, rows, self._width), self._classes[rows]

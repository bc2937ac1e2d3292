"""`Embedding`: one learned or pretrained row of numbers for each word, with dropout of whole rows."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from seqloom.nn.arguments import Drawing, generator_of
from seqloom.nn.causal_stages import Stage
from seqloom.nn.receptive_field import Field
from seqloom.ops.draws import draw_mask
from seqloom_runtime.errors import SettingError

__all__ = ["Embedding"]

_RANGE = 0.05  # of the uniform start: small beside the layers' inputs, so that words that are seen often lead


class Embedding(Drawing):
    """Rows (V words, E numbers) looked up by whole numbers; row `padding` is zero and stays zero.

    dropout: probability that a word's row is dropped in a call: all its occurrences, in every text of the batch, so
        that a model can't lean on single words; kept rows are scaled by 1/(1 − dropout). Source: Gal and Ghahramani,
        arXiv 1512.05287, section 4.2; one mask for a batch, as in arXiv 1708.02182.
    weights: (V, E) to start from instead of uniform numbers in ±0.05; trained on, or kept as they are with
        `trainable=False`.
    seed: an int, or the torch.Generator to use: draws the first weights, then all masks.

    The gradient is dense: for vocabularies up to a few tens of thousands of words one fused optimizer step over all
    rows costs less than sorting the words of a batch (docs/lab-notes.md).

    >>> embedding = Embedding(5, 3)
    >>> embedding(torch.tensor([[2, 4, 0]])).shape, embedding(torch.tensor([0])).tolist()
    (torch.Size([1, 3, 3]), [[0.0, 0.0, 0.0]])
    """

    def __init__(
        self,
        words: int,
        size: int,
        *,
        dropout: float = 0.0,
        padding: int | None = 0,
        weights: Tensor | None = None,
        trainable: bool = True,
        seed: int | torch.Generator = 0,
    ):
        """Make the module; raises SettingError for sizes below 1, no probability, or weights of another shape."""
        super().__init__()
        for name, value in (("words", words), ("size", size)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise SettingError(f"{name} must be a whole number, 1 or more, not {value!r}.")
        if not 0.0 <= dropout < 1.0:
            raise SettingError(f"dropout is a probability: at least 0 and below 1, not {dropout!r}.")
        if padding is not None and not 0 <= padding < words:
            raise SettingError(f"padding must be a row from 0 to {words - 1}, not {padding!r}.")
        if weights is not None and tuple(weights.shape) != (words, size):
            raise SettingError(f"weights must have shape (words, size) = {(words, size)}, not {tuple(weights.shape)}.")
        self.words, self.size, self.dropout, self.padding = words, size, dropout, padding
        self.generator = generator_of(seed)
        if weights is None:
            start = torch.empty(words, size).uniform_(-_RANGE, _RANGE, generator=self.generator)
        else:
            # A copy: training must not change the caller's array.
            start = weights.detach().clone().float()
        if padding is not None:
            # It stays zero, as the look-up below gives this row no gradient.
            start[padding] = 0.0
        self.weight = nn.Parameter(start, requires_grad=trainable)

    def forward(self, ids: Tensor) -> Tensor:
        """Look up (…) whole numbers from 0 to V − 1: (…, E)."""
        rows = nn.functional.embedding(ids, self.weight, self.padding)
        if self.training and self.dropout:
            # One number a word of the vocabulary, looked up by the ids: all places of a word drop together.
            rows = rows * draw_mask(self.generator, (self.words,), self.dropout, rows)[ids].unsqueeze(-1)
        return rows

    def field(self) -> Field:
        """A row sees its own word."""
        return Field()

    def stage(self, size: int | None, batch: int, backend: str) -> Stage:
        """The rows of one step: the words come as (B, 1)."""
        return _LookUp(self.weight, batch)

    def extra_repr(self) -> str:
        """Sizes and options that differ from the defaults, for `print(module)`."""
        parts = [str(self.words), str(self.size)]
        parts += [f"dropout={self.dropout}"] if self.dropout else []
        parts += [] if self.weight.requires_grad else ["trainable=False"]
        return ", ".join(parts)


class _LookUp(Stage):
    """The rows of one step's words, (B, 1) → (B, E)."""

    def __init__(self, weight: Tensor, batch: int):
        self.rows = weight.detach().cpu().numpy().copy()
        self.inputs, self.outputs, self.dtype = 1, self.rows.shape[1], self.rows.dtype
        self.a = np.zeros((batch, self.outputs), dtype=self.dtype)
        # The steps' numbers are of the weights' type, and float32 holds whole numbers up to here.
        if len(self.rows) > 1 << 24:
            raise SettingError(f"a stream takes vocabularies of up to {1 << 24:,} words, not {len(self.rows):,}.")

    def step(self, x: np.ndarray) -> np.ndarray:
        if not ((x >= 0) & (x < len(self.rows)) & (x == np.floor(x))).all():
            raise SettingError(f"a word must be a whole number from 0 to {len(self.rows) - 1}.")
        np.take(self.rows, x[:, 0].astype(np.int64), axis=0, out=self.a)
        return self.a

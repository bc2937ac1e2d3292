"""The studies' networks as users of torch write them: Conv1d with weight norm, nn.LSTM, nn.GRU, a linear layer.

They have the published sizes and dropouts, and torch's own starting weights. Shapes: B rows, T steps, I inputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from bench.published_tcn import PublishedTCN
from seqloom.studies.long_memory import Model

__all__ = ["PlainLanguage", "PlainReader", "plain_body", "plain_optimizer", "plain_step"]


def plain_body(cell: str, inputs: int, widths: Sequence[int], kernel: int, dropout: float) -> nn.Module:
    """(B, T, I) → features (B, T, F), of a recurrent network with its state; `widths` of each layer or level."""
    if cell == "tcn":
        return PublishedTCN(inputs, widths, kernel, dropout)
    if len(set(widths)) > 1:
        raise ValueError("torch's recurrent layers are of one width")
    kind = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}[cell]
    return kind(inputs, widths[0], len(widths), batch_first=True, dropout=dropout if len(widths) > 1 else 0.0)


class PlainReader(nn.Module):
    """A body, dropout of what a recurrent one gives, and a linear layer on every step, or on the last one alone."""

    def __init__(self, model: Model, inputs: int, outputs: int, *, last: bool) -> None:
        super().__init__()
        self.body = plain_body(model.cell, inputs, [model.units] * model.levels, model.kernel, model.dropout)
        self.last, self.dropout = last, nn.Dropout(0.0 if model.cell == "tcn" else model.dropout)
        self.output = nn.Linear(model.units, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, I) → (B, T, K), or (B, K) with `last`."""
        y = self.body(x)
        y = y[0] if isinstance(y, tuple) else y
        return self.output(self.dropout(y[:, -1] if self.last else y))


class PlainLanguage(nn.Module):
    """Embedding, body and a linear layer; the state of a recurrent body is kept from one batch to the next.

    scored: how many of a window's last steps count, None for all.
    """

    def __init__(self, spec: Any, scored: int | None) -> None:
        """spec: a `seqloom.tasks.language.network.LanguageSpec` with a full softmax."""
        super().__init__()
        self.embedding = nn.Embedding(spec.words, spec.embedding_size)
        self.body = plain_body(spec.name, spec.embedding_size, spec.widths, spec.kernel_size, spec.between_dropout)
        self.output = nn.Linear(spec.features, spec.words)
        if spec.tied:
            self.output.weight = self.embedding.weight
        shares = (spec.embedding_dropout, spec.input_dropout, spec.output_dropout)
        self.dropouts = nn.ModuleList(nn.Dropout(share) for share in shares)
        self.scored, self.state = scored, None

    def loss(self, batch: Any) -> Tensor:
        """The mean cross-entropy of the batch's scored tokens."""
        embedding, inner, outer = self.dropouts
        x = inner(embedding(self.embedding(torch.from_numpy(batch.inputs))))
        targets = torch.from_numpy(batch.targets)
        if isinstance(self.body, PublishedTCN):
            y = self.body(x)
        else:
            y, state = self.body(x, self.state)
            self.state = tuple(part.detach() for part in state) if isinstance(state, tuple) else state.detach()
        if self.scored is not None:
            y, targets = y[:, -self.scored :], targets[:, -self.scored :]
        logits = self.output(outer(y)).flatten(0, 1)
        # −1 is the target of a token that doesn't count.
        return nn.functional.cross_entropy(logits, targets.flatten(), ignore_index=-1)


def plain_optimizer(name: str, rate: float, module: nn.Module) -> torch.optim.Optimizer:
    """The optimizer of that name with torch's other defaults."""
    return {"adam": torch.optim.Adam, "rmsprop": torch.optim.RMSprop}[name](module.parameters(), lr=rate)


def plain_step(module: nn.Module, optimizer: torch.optim.Optimizer, loss: Tensor, clip: float | None) -> None:
    """Backward, clipping and step, as in the usual loop; `loss` is the batch's, read as the loop prints it."""
    optimizer.zero_grad()
    loss.backward()
    if clip is not None:
        nn.utils.clip_grad_norm_(module.parameters(), clip)
    optimizer.step()
    loss.item()

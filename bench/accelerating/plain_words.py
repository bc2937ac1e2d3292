"""A plain PyTorch program: a language model over words, trained in windows that hand their state on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from made_data import words
from torch import nn
from torch.nn import functional as F

VOCABULARY, COLUMNS, WINDOW = 1000, 20, 35


class Model(nn.Module):
    """Embedding, two recurrent layers with dropout, a linear layer over the words."""

    def __init__(self, kind: str, units: int) -> None:
        super().__init__()
        self.drop = nn.Dropout(0.2)
        self.embed = nn.Embedding(VOCABULARY, units)
        self.body = getattr(nn, kind)(units, units, 2, dropout=0.2)
        self.output = nn.Linear(units, VOCABULARY)

    def forward(self, numbers: torch.Tensor, state: Any) -> tuple[torch.Tensor, Any]:
        outputs, state = self.body(self.drop(self.embed(numbers)), state)
        return self.output(self.drop(outputs)), state


class Program:
    """A text cut into 20 columns; a step for each 35 words of them."""

    def __init__(self, kind: str, units: int, epochs: int) -> None:
        torch.manual_seed(1)
        self.model = Model(kind, units)
        self.epochs = epochs
        text = torch.from_numpy(words())
        rows = len(text) // COLUMNS
        self.text = text[: rows * COLUMNS].view(COLUMNS, rows).t().contiguous()  # (rows, columns)

    def fit(self) -> list[float]:
        """Losses of the epochs."""
        losses = []
        self.model.train()
        for _ in range(self.epochs):
            state, total, steps = None, 0.0, 0
            for first in range(0, len(self.text) - 1, WINDOW):
                x, y = self.text[first:-1][:WINDOW], self.text[first + 1 :][:WINDOW]
                if state is not None:
                    state = tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()
                self.model.zero_grad()
                scores, state = self.model(x, state)
                loss = F.cross_entropy(scores.view(-1, VOCABULARY), y.reshape(-1))
                loss.backward()
                nn.utils.clip_grad_norm_(self.model.parameters(), 0.25)
                with torch.no_grad():
                    for p in self.model.parameters():
                        if p.grad is not None:
                            p.add_(p.grad, alpha=-5.0)
                total, steps = total + loss.item(), steps + 1
            losses.append(total / steps)
        return losses

    def network(self) -> nn.Module:
        """What `seqloom.nn.accelerate` takes."""
        return self.model

    def forecasts(self) -> Any:
        """Scores of the next word."""
        self.model.eval()
        with torch.no_grad():
            return self.model(self.text[:50, :4], None)[0].numpy()

    def save(self, folder: Path) -> None:
        """The state dict, as programs do."""
        torch.save(self.model.state_dict(), folder / "model.pt")
        torch.save(self.model, folder / "whole.pt")

    def load(self, folder: Path) -> None:
        """Read both back; they have to agree."""
        self.model.load_state_dict(torch.load(folder / "model.pt"))
        whole = torch.load(folder / "whole.pt", weights_only=False)
        assert all(torch.equal(a, b) for a, b in zip(whole.state_dict().values(), self.model.state_dict().values()))
        self.model = whole

"""A plain PyTorch program: which kind of name is it? Read letter by letter, one name at a time."""

from __future__ import annotations

import random
import string
from pathlib import Path
from typing import Any

import torch
from made_data import names
from torch import nn
from torch.nn import functional as F

LETTERS = string.ascii_lowercase
TOGETHER = 64  # names whose gradients make one step


class Reader(nn.Module):
    """Letters, one-hot and time first, to the log probabilities of the kinds."""

    def __init__(self, kind: str, units: int, kinds: int) -> None:
        super().__init__()
        self.reader = getattr(nn, kind)(len(LETTERS), units)
        self.output = nn.Linear(units, kinds)

    def forward(self, letters: torch.Tensor) -> torch.Tensor:
        outputs, _ = self.reader(letters)
        return F.log_softmax(self.output(outputs[-1]), dim=1)


def spelled(name: str) -> torch.Tensor:
    """(letters, 1, 26)"""
    return F.one_hot(torch.tensor([LETTERS.index(c) for c in name]), len(LETTERS)).float().unsqueeze(1)


class Program:
    """Names as a class task; a step for each 64 names."""

    def __init__(self, kind: str, units: int, epochs: int) -> None:
        torch.manual_seed(1)
        self.model = Reader(kind, units, 10)
        self.epochs = epochs
        self.data = [(spelled(name), torch.tensor([kind])) for name, kind in names()]

    def fit(self) -> list[float]:
        """Losses of the epochs."""
        optimizer = torch.optim.SGD(self.model.parameters(), lr=0.2)
        order, losses = random.Random(1), []
        self.model.train()
        for _ in range(self.epochs):
            order.shuffle(self.data)
            total = 0.0
            for first in range(0, len(self.data), TOGETHER):
                few = self.data[first : first + TOGETHER]
                loss = torch.stack([F.nll_loss(self.model(name), kind) for name, kind in few]).mean()
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(self.model.parameters(), 3.0)
                optimizer.step()
                total += loss.item() * len(few)
            losses.append(total / len(self.data))
        return losses

    def network(self) -> nn.Module:
        """What `seqloom.nn.accelerate` takes."""
        return self.model

    def forecasts(self) -> Any:
        """Log probabilities of some names."""
        self.model.eval()
        with torch.no_grad():
            return torch.cat([self.model(spelled(name)) for name, _ in names(50)]).numpy()

    def save(self, folder: Path) -> None:
        """The whole module, as `torch.save` has it."""
        torch.save(self.model, folder / "model.pt")

    def load(self, folder: Path) -> None:
        """Read it back."""
        self.model = torch.load(folder / "model.pt", weights_only=False)

"""A small model, its data and its batches, for the tests of the training loop."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from seqloom.training import FitSettings, History, fit

Batch = tuple[Tensor, Tensor]


class SmallNet(nn.Module):
    """Two linear layers with dropout from an own generator and from torch's global stream, and a normalising buffer."""

    def __init__(self, seed: int = 0, *, dropout: float = 0.2, norm: bool = True):
        super().__init__()
        self.generator = torch.Generator().manual_seed(seed)
        self.first, self.second = nn.Linear(4, 6), nn.Linear(6, 1)
        self.norm = nn.BatchNorm1d(6) if norm else nn.Identity()
        self.dropout = nn.Dropout(dropout)
        self.probability = dropout
        with torch.no_grad():
            for weight in self.parameters():
                weight.copy_(torch.randn(weight.shape, generator=self.generator) * 0.5)

    def forward(self, x: Tensor) -> Tensor:
        if self.training and self.probability:
            x = x * torch.empty(x.shape).bernoulli_(1 - self.probability, generator=self.generator)
        return self.second(self.dropout(torch.tanh(self.norm(self.first(x)))))


def make_data(rows: int = 60, seed: int = 5) -> Batch:
    """x (rows, 4) and y (rows, 1), a noisy nonlinear function of x."""
    random = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, 4, generator=random)
    y = torch.sin(x[:, :1]) + 0.5 * x[:, 1:2] * x[:, 2:3] + 0.1 * torch.randn(rows, 1, generator=random)
    return x, y


def list_of_batches(rows: int = 60, size: int = 7, seed: int = 5) -> list[Batch]:
    """The data in order, the last batch smaller."""
    x, y = make_data(rows, seed)
    return list(zip(x.split(size), y.split(size)))


class Endless:
    """An iterator without end that can say where it is: batches at positions that follow from a counter."""

    def __init__(self, size: int = 8, seed: int = 3):
        self.x, self.y = make_data()
        self.size, self.seed, self.position = size, seed, 0

    def __iter__(self) -> Endless:
        return self

    def __next__(self) -> Batch:
        random = torch.Generator().manual_seed(self.seed * 1000 + self.position)
        rows = torch.randint(len(self.x), (self.size,), generator=random)
        self.position += 1
        return self.x[rows], self.y[rows]

    def state(self) -> dict[str, int]:
        return {"position": self.position}

    def restore(self, state: dict[str, int]) -> None:
        self.position = state["position"]


def loss(module: nn.Module, batch: Batch) -> Tensor:
    """The mean squared error."""
    return (module(batch[0]) - batch[1]).square().mean()


def validate(module: nn.Module) -> dict[str, float]:
    """The mean squared and the mean absolute error on other data."""
    x, y = make_data(40, seed=11)
    error = module(x) - y
    return {"loss": error.square().mean().item(), "mae": error.abs().mean().item()}


def weight_bits(module: nn.Module) -> str:
    """A fingerprint of every bit of parameters and buffers."""
    digest = hashlib.sha256()
    for name, tensor in module.state_dict().items():
        digest.update(name.encode() + tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


def folder_bits(folder: Path) -> dict[str, str]:
    """A fingerprint of every file in a folder."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def train(module: nn.Module | None = None, batches: Any = None, **options: Any) -> tuple[nn.Module, History]:
    """Fit a small net; settings and arguments of `fit` in one list of options."""
    module = SmallNet() if module is None else module
    own = {"validate", "penalty", "directory", "resume", "on_event", "signature", "stop"}
    arguments = {name: options.pop(name) for name in own & set(options)}
    settings = FitSettings(**{"epochs": 3, "learning_rate": 0.02, **options})
    batches = list_of_batches() if batches is None else batches
    return module, fit(module, batches, loss, settings=settings, **arguments)

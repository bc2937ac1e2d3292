"""A plain PyTorch program: windows of a time series to the hours that follow, in batches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from made_data import series
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

LOOKBACK, HORIZON = 120, 24


class Model(nn.Module):
    """The last output of a recurrent layer to all steps of the horizon."""

    def __init__(self, kind: str, units: int) -> None:
        super().__init__()
        self.body = getattr(nn, kind)(1, units, batch_first=True)
        self.output = nn.Linear(units, HORIZON)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.output(self.body(x)[0][:, -1])


class Program:
    """All windows of the series in batches of 32."""

    def __init__(self, kind: str, units: int, epochs: int) -> None:
        torch.manual_seed(1)
        self.model = Model(kind, units)
        self.epochs = epochs
        windows = torch.from_numpy(series()).unfold(0, LOOKBACK + HORIZON, 1)
        self.data = TensorDataset(windows[:, :LOOKBACK, None].contiguous(), windows[:, LOOKBACK:].contiguous())

    def fit(self) -> list[float]:
        """Losses of the epochs."""
        optimizer, loss_of = torch.optim.Adam(self.model.parameters(), lr=1e-3), nn.MSELoss()
        drawn, losses = torch.Generator().manual_seed(1), []
        self.model.train()
        for _ in range(self.epochs):
            total = 0.0
            for x, y in DataLoader(self.data, batch_size=32, shuffle=True, generator=drawn):
                optimizer.zero_grad()
                loss = loss_of(self.model(x), y)
                loss.backward()
                optimizer.step()
                total += loss.item() * len(x)
            losses.append(total / len(self.data))
        return losses

    def network(self) -> nn.Module:
        """What `seqloom.nn.accelerate` takes."""
        return self.model

    def forecasts(self) -> Any:
        """Forecasts of some windows."""
        self.model.eval()
        with torch.no_grad():
            return self.model(self.data.tensors[0][::50]).numpy()

    def save(self, folder: Path) -> None:
        """The whole module."""
        torch.save(self.model, folder / "model.pt")

    def load(self, folder: Path) -> None:
        """Read it back."""
        self.model = torch.load(folder / "model.pt", weights_only=False)

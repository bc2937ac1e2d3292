"""Darts: BlockRNNModel on a series, with the settings that its documentation starts from."""

# pyright: reportMissingImports=false
# The libraries are not installed where the project is checked.

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import torch
from darts import TimeSeries
from darts.models import BlockRNNModel
from made_data import series
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import Callback
from torch import nn

logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
QUIET = {"accelerator": "cpu", "logger": False, "enable_progress_bar": False, "enable_model_summary": False}


class Losses(Callback):
    """The training loss of each epoch."""

    def __init__(self) -> None:
        self.losses: list[float] = []

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        self.losses.append(float(trainer.callback_metrics["train_loss"]))


class Program:
    """Lookback 120, 24 steps ahead, batches of 32."""

    def __init__(self, kind: str, units: int, epochs: int) -> None:
        self.kind, self.units, self.epochs = kind, units, epochs
        self.seen = Losses()
        self.series = TimeSeries.from_values(series())
        self.model: Any = None

    def fit(self) -> list[float]:
        """Losses of the epochs."""
        self.model = BlockRNNModel(
            input_chunk_length=120, output_chunk_length=24, model=self.kind, hidden_dim=self.units, n_rnn_layers=1,
            batch_size=32, n_epochs=self.epochs, random_state=1, work_dir=".", save_checkpoints=False,
            pl_trainer_kwargs={**QUIET, "enable_checkpointing": False},
        )  # fmt: skip
        # A trainer of its own, as the callback would stand in Darts' file, which holds what Darts trusts alone.
        trainer = Trainer(max_epochs=self.epochs, callbacks=[self.seen], enable_checkpointing=False, **QUIET)
        self.model.fit(self.series, trainer=trainer, verbose=False)
        return self.seen.losses

    def network(self) -> nn.Module:
        """The Lightning module."""
        return self.model.model

    def forecasts(self) -> Any:
        """The day after the series."""
        return self.model.predict(24, series=self.series, verbose=False).values()

    def save(self, folder: Path) -> None:
        """Darts' own file, and a checkpoint of Lightning's beside it."""
        self.model.save(str(folder / "model.pt"))
        torch.save(self.model.model, folder / "module.pt")

    def load(self, folder: Path) -> None:
        """Read it back."""
        self.model = BlockRNNModel.load(str(folder / "model.pt"), pl_trainer_kwargs=QUIET)
        torch.load(folder / "module.pt", weights_only=False)

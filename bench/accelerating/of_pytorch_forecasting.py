"""pytorch-forecasting: RecurrentNetwork, whose layers are classes of its own derived from torch's."""

# pyright: reportMissingImports=false
# The libraries are not installed where the project is checked.

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pandas as pd
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from made_data import series
from pytorch_forecasting import RecurrentNetwork, TimeSeriesDataSet
from torch import nn

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
warnings.simplefilter("ignore")


class Losses(Callback):
    """The training loss of each epoch."""

    def __init__(self) -> None:
        self.losses: list[float] = []

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        self.losses.append(float(trainer.callback_metrics["train_loss_epoch"]))


class Program:
    """Lookback 120, 24 steps ahead, batches of 64."""

    def __init__(self, kind: str, units: int, epochs: int) -> None:
        pl.seed_everything(1, verbose=False)
        values = series()
        frame = pd.DataFrame({"group": "a", "time": range(len(values)), "value": values})
        self.data = TimeSeriesDataSet(
            frame, time_idx="time", target="value", group_ids=["group"], max_encoder_length=120,
            max_prediction_length=24, time_varying_unknown_reals=["value"],
        )  # fmt: skip
        self.seen, self.epochs, self.path = Losses(), epochs, ""
        self.model: Any = RecurrentNetwork.from_dataset(
            self.data, cell_type=kind, hidden_size=units, log_interval=-1, log_val_interval=-1
        )

    def fit(self) -> list[float]:
        """Losses of the epochs."""
        keep = ModelCheckpoint(dirpath="checkpoints", filename="last")
        trainer = pl.Trainer(
            max_epochs=self.epochs, accelerator="cpu", logger=False, enable_progress_bar=False,
            enable_model_summary=False, callbacks=[self.seen, keep], gradient_clip_val=0.1,
        )  # fmt: skip
        trainer.fit(self.model, self.data.to_dataloader(train=True, batch_size=64, num_workers=0))
        self.path = keep.best_model_path or keep.last_model_path
        return self.seen.losses

    def network(self) -> nn.Module:
        """The Lightning module."""
        return self.model

    def forecasts(self) -> Any:
        """Of all windows."""
        loader = self.data.to_dataloader(train=False, batch_size=512, num_workers=0)
        quiet = {"accelerator": "cpu", "logger": False, "enable_progress_bar": False}
        return self.model.predict(loader, trainer_kwargs=quiet).numpy()[::50]

    def save(self, folder: Path) -> None:
        """Lightning's checkpoint."""
        (folder / "model.ckpt").write_bytes(Path(self.path).read_bytes())

    def load(self, folder: Path) -> None:
        """Read it back."""
        self.model = RecurrentNetwork.load_from_checkpoint(folder / "model.ckpt", weights_only=False)

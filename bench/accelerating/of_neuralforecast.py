"""neuralforecast: its LSTM and GRU with their own settings, except for the units."""

# pyright: reportMissingImports=false
# The libraries are not installed where the project is checked.

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pandas as pd
from made_data import series
from neuralforecast import NeuralForecast, models
from torch import nn

logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
QUIET = {"accelerator": "cpu", "logger": False, "enable_progress_bar": False, "enable_model_summary": False}


class Program:
    """Lookback 120, 24 steps ahead; an epoch is 30 steps, its own batches of windows."""

    def __init__(self, kind: str, units: int, epochs: int) -> None:
        values = series()
        self.frame = pd.DataFrame({"unique_id": "a", "ds": range(len(values)), "y": values})
        model = getattr(models, kind)(
            h=24, input_size=120, encoder_hidden_size=units, decoder_hidden_size=units, max_steps=30 * epochs,
            random_seed=1, alias="it", enable_checkpointing=False, **QUIET,
        )  # fmt: skip
        self.forecaster = NeuralForecast(models=[model], freq=1)

    def fit(self) -> list[float]:
        """Losses of the steps."""
        self.forecaster.fit(self.frame)
        return [float(loss) for _, loss in self.forecaster.models[0].train_trajectories]

    def network(self) -> nn.Module:
        """The Lightning module."""
        return self.forecaster.models[0]

    def forecasts(self) -> Any:
        """The day after the series."""
        return self.forecaster.predict(self.frame)["it"].to_numpy()

    def save(self, folder: Path) -> None:
        """Its own folder, with Lightning's checkpoint."""
        self.forecaster.save(str(folder / "saved"), overwrite=True, save_dataset=False)

    def load(self, folder: Path) -> None:
        """Read it back."""
        self.forecaster = NeuralForecast.load(str(folder / "saved"))

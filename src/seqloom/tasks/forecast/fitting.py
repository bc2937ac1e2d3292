"""Training one network on the windows, and running it over any of them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...nn import WeightPenalty
from ...training import FitSettings, History, derive_seed, fit
from .network import NetworkSpec, RecurrentForecast, build_network
from .windowed import Batch, ForecastData, TrainingBatches

__all__ = ["Learned", "LossSpec", "forecast_with", "train_network"]


@dataclass(frozen=True)
class LossSpec:
    """Which loss, and the weight penalties that are added to it."""

    name: str = "mae"
    quantile: float = 0.5
    penalties: tuple[
        tuple[str, float], ...
    ] = ()  # (group "input" | "recurrent" | "bias", then "_l1" | "_l2"; strength)

    def error(self, forecast: Tensor, truth: Tensor) -> Tensor:
        """The mean loss over windows and steps; both (B, K), standardised.

        mae: |e|; mse: e²; huber: ½e² up to |e| = 1, |e| − ½ beyond (Huber 1964); quantile: max(qe, (q−1)e) for
        e = truth − forecast (Koenker & Bassett 1978).
        """
        if self.name == "mae":
            return (forecast - truth).abs().mean()
        if self.name == "mse":
            return (forecast - truth).square().mean()
        if self.name == "huber":
            return nn.functional.huber_loss(forecast, truth)
        error = truth - forecast
        return torch.maximum(self.quantile * error, (self.quantile - 1) * error).mean()

    def penalty(self) -> Callable[[nn.Module], Tensor] | None:
        """The weight penalty as a function of the module, or None where there is none.

        Σ over the groups of l1·Σ|w| + l2·Σw²: the recurrent layers' groups, or a linear or dense network's weights (input)
        and biases.
        """
        if not self.penalties:
            return None
        strengths = dict(self.penalties)
        recurrent = WeightPenalty(**{f"{name[-2:]}_{name[:-3]}": value for name, value in self.penalties})

        def penalty(module: nn.Module) -> Tensor:
            if isinstance(module, RecurrentForecast):
                return recurrent(module)
            total = torch.zeros(())
            for name, parameter in module.named_parameters():
                group = "bias" if name.endswith("bias") else "input"
                total = total + strengths.get(f"{group}_l1", 0.0) * parameter.abs().sum()
                total = total + strengths.get(f"{group}_l2", 0.0) * parameter.square().sum()
            return total

        return penalty


@dataclass(eq=False)
class Learned:
    """A trained network and what its training recorded."""

    network: nn.Module
    spec: NetworkSpec
    anchor: str
    history: History
    choosing_mae: float


def train_network(
    data: ForecastData,
    spec: NetworkSpec,
    anchor: str,
    loss: LossSpec,
    settings: FitSettings,
    batch_size: int,
    *,
    directory: str | os.PathLike[str] | None,
    resume: bool,
    on_event: Callable[[Any], None] | None,
) -> Learned:
    """Train one network; the windows in `data.choose` pick the best weights, and no later window is looked at."""
    network = build_network(spec, derive_seed(settings.seed, spec.name, "weights"))
    batches = TrainingBatches(data, anchor, batch_size, derive_seed(settings.seed, spec.name, "batches"))
    choose = data.choose[np.isfinite(data.anchors(anchor, data.choose)).all(axis=1)]
    truth, offset = data.truth(choose), data.anchors(anchor, choose)
    scale = data.std[choose][:, None]

    def batch_loss(module: nn.Module, batch: Batch) -> Tensor:
        x, future, y = batch
        return loss.error(module(x, future), y)

    def validate(module: nn.Module) -> dict[str, float]:
        output = run_network(module, data, choose)
        truth_scaled = (truth - offset) / scale
        value = loss.error(torch.from_numpy(output), torch.from_numpy(truth_scaled)).item()
        return {"loss": value, "mae": float(np.abs((output * scale + offset) - truth).mean())}

    history = fit(
        network,
        batches,
        batch_loss,
        settings=settings,
        validate=validate,
        penalty=loss.penalty(),
        directory=None if directory is None else Path(directory),
        resume=resume,
        on_event=on_event,
        signature={
            "network": spec.to_json(),
            "anchor": anchor,
            "data": data.panel.fingerprint(),
            "batch_size": batch_size,
        },
    )
    return Learned(network, spec, anchor, history, validate(network.eval())["mae"])


def run_network(network: nn.Module, data: ForecastData, origins: np.ndarray) -> np.ndarray:
    """The network's raw output over the windows: (N, K) float64, standardised and without its anchor."""
    was_training = network.training
    network.eval()
    parts = [np.empty((0, len(data.spec.steps)), dtype=np.float64)]
    with torch.no_grad():
        for chunk in data.chunks(origins):
            parts.append(network(*data.inputs(chunk)).double().numpy())
    network.train(was_training)
    return np.concatenate(parts)


def forecast_with(network: nn.Module, data: ForecastData, anchor: str, origins: np.ndarray) -> np.ndarray:
    """Forecasts in the target's unit: (N, K) float64."""
    return run_network(network, data, origins) * data.std[origins][:, None] + data.anchors(anchor, origins)

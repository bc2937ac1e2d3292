"""Training networks on the windows, choosing between anchors, and running a network over any windows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ...errors import SettingError
from ...nn import WeightPenalty
from ...ops.losses import mse_loss
from ...training import FitSettings, History, derive_seed, fit
from ..place import Place
from .network import DenseForecast, LinearForecast, NetworkSpec, build_network, check_memory
from .windowed import Batch, ForecastData, TrainingBatches

__all__ = ["Learned", "LossSpec", "TrainingPlan", "forecast_with", "train_anchors", "train_network"]


@dataclass(frozen=True)
class LossSpec:
    """Which loss, and the weight penalties that are added to it.

    penalties: (name, strength) pairs, where a name is input, recurrent or bias with _l1 or _l2.
    """

    name: str = "mae"
    quantile: float = 0.5
    penalties: tuple[tuple[str, float], ...] = ()

    def error(self, forecast: Tensor, truth: Tensor) -> Tensor:
        """The mean loss over windows and steps; both (B, K), standardised.

        mae: |e|; mse: e²; huber: ½e² up to |e| = 1, |e| − ½ beyond (Huber 1964); quantile: max(qe, (q−1)e) for
        e = truth − forecast (Koenker & Bassett 1978).
        """
        if self.name == "mae":
            return (forecast - truth).abs().mean()
        if self.name == "mse":
            return mse_loss(forecast, truth)
        if self.name == "huber":
            return nn.functional.huber_loss(forecast, truth)
        error = truth - forecast
        return torch.maximum(self.quantile * error, (self.quantile - 1) * error).mean()

    def penalty(self) -> Callable[[nn.Module], Tensor] | None:
        """The weight penalty as a function of the module, or None where there is none.

        Σ over the groups of l1·Σ|w| + l2·Σw²: the groups of recurrent layers and convolutions (`nn.weight_groups`), or
        a linear or dense network's weights (input) and biases. The layer that reads out a recurrent or convolutional
        network is not penalised.
        """
        if not self.penalties:
            return None
        strengths = dict(self.penalties)
        by_group = WeightPenalty(**{f"{name[-2:]}_{name[:-3]}": value for name, value in self.penalties})

        def penalty(module: nn.Module) -> Tensor:
            if not isinstance(module, (LinearForecast, DenseForecast)):
                return by_group(module)
            total = torch.zeros(())
            for name, parameter in module.named_parameters():
                group = "bias" if name.endswith("bias") else "input"
                total = total + strengths.get(f"{group}_l1", 0.0) * parameter.abs().sum()
                total = total + strengths.get(f"{group}_l2", 0.0) * parameter.square().sum()
            return total

        return penalty


@dataclass(frozen=True)
class TrainingPlan:
    """What is trained and how: all that fixes the result but the data."""

    spec: NetworkSpec
    loss: LossSpec
    settings: FitSettings
    batch_size: int


@dataclass(eq=False)
class Learned:
    """A trained network and what its training recorded; choosing_mae in the target's unit."""

    network: nn.Module
    spec: NetworkSpec
    anchor: str
    history: History
    choosing_mae: float


def train_anchors(data: ForecastData, plan: TrainingPlan, anchor: str, place: Place) -> tuple[Learned, list[str]]:
    """Train with one anchor, or for "auto" with each that is possible; the network to keep, and what to say about it.

    The networks are compared on the choosing windows that all of them can forecast, by what picks their best weights.
    """
    if anchor != "auto":
        return train_network(data, plan, anchor, place), []
    name = plan.spec.name
    candidates, notes = ["last", "none"], []
    if data.season:
        if all(np.isfinite(data.anchors("seasonal", part)).any() for part in (data.train, data.choose)):
            candidates.append("seasonal")
        else:
            notes.append(
                f"{name}: anchor 'auto' left out 'seasonal', because no window has a season of {data.season:g} rows "
                "before it."
            )
    results = [train_network(data, plan, kind, place.below(f"anchor-{kind}")) for kind in candidates]
    common = np.logical_and.reduce([np.isfinite(data.anchors(kind, data.choose)).all(axis=1) for kind in candidates])
    errors = [_choosing_error(data, plan, result, data.choose[common]) for result in results]
    best = results[int(np.argmin(errors))]
    measure = "MAE" if plan.settings.monitor == "mae" else "loss"
    steps = [result.history.steps for result in results]
    scores = ", ".join(f"{kind} {error:.4g}" for kind, error in zip(candidates, errors))
    notes.append(
        f"{name}: anchor 'auto' trained {len(results)} networks instead of one ({sum(steps):,} steps instead of "
        f"{steps[int(np.argmin(errors))]:,}) and kept {best.anchor!r} (validation {measure}: {scores})."
    )
    return best, notes


def train_network(
    data: ForecastData, plan: TrainingPlan, anchor: str, place: Place, network: nn.Module | None = None
) -> Learned:
    """Train one network; the windows in `data.choose` pick the best weights, and no later window is looked at.

    `network` stands in for the one that `plan.spec` builds; it maps x and future as those of `network.py` do.
    Raises SettingError where no window has the anchor, TrainingError where a value becomes NaN.
    """
    spec, loss, settings = plan.spec, plan.loss, plan.settings
    if network is None:
        check_memory(spec, settings.optimizer, min(plan.batch_size, len(data.train)))
        network = build_network(spec, derive_seed(settings.seed, spec.name, "weights"))
    batches = TrainingBatches(data, anchor, plan.batch_size, derive_seed(settings.seed, spec.name, "batches"))
    choose = data.choose[np.isfinite(data.anchors(anchor, data.choose)).all(axis=1)]
    if not len(choose):
        raise SettingError(
            f"anchor: no validation window has a whole season ({data.season:g} rows) before it; use a shorter season "
            "or another anchor."
        )
    truth, offset = data.truth(choose), data.anchors(anchor, choose)
    scale = data.std[choose][:, None]
    scaled = torch.from_numpy((truth - offset) / scale)

    def batch_loss(module: nn.Module, batch: Batch) -> Tensor:
        x, future, y = batch
        return loss.error(module(x, future), y)

    def validate(module: nn.Module) -> dict[str, float]:
        output = run_network(module, data, choose)
        value = loss.error(torch.from_numpy(output), scaled).item()
        return {"loss": value, "mae": float(np.abs((output * scale + offset) - truth).mean())}

    history = fit(
        network,
        batches,
        batch_loss,
        settings=settings,
        validate=validate,
        penalty=loss.penalty(),
        directory=place.directory,
        resume=place.resume,
        on_event=place.on_event,
        signature={
            "network": spec.to_json(),
            "anchor": anchor,
            "loss": asdict(loss),
            "batch_size": plan.batch_size,
            **data.signature(),
        },
    )
    return Learned(network.eval(), spec, anchor, history, validate(network)["mae"])


def run_network(network: nn.Module, data: ForecastData, origins: np.ndarray) -> np.ndarray:
    """The network's raw output over the windows: (N, K) float64, standardised and without its anchor."""
    was_training = network.training
    network.eval()
    parts = [np.empty((0, len(data.spec.steps)), dtype=np.float64)]
    with torch.no_grad():
        parts += [network(*data.inputs(chunk)).double().numpy() for chunk in data.chunks(origins)]
    network.train(was_training)
    return np.concatenate(parts)


def forecast_with(network: nn.Module, data: ForecastData, anchor: str, origins: np.ndarray) -> np.ndarray:
    """Forecasts in the target's unit: (N, K) float64."""
    return run_network(network, data, origins) * data.std[origins][:, None] + data.anchors(anchor, origins)


def _choosing_error(data: ForecastData, plan: TrainingPlan, learned: Learned, origins: np.ndarray) -> float:
    forecast, truth = forecast_with(learned.network, data, learned.anchor, origins), data.truth(origins)
    if plan.settings.monitor == "mae":
        return float(np.abs(forecast - truth).mean())
    scale = data.std[origins][:, None]
    return plan.loss.error(torch.from_numpy(forecast / scale), torch.from_numpy(truth / scale)).item()

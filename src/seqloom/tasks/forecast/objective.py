"""The training loss, and the error that selects weights: the loss of a batch, and errors over whole windows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from seqloom_runtime.errors import SettingError

from ...nn import WeightPenalty
from ...ops.losses import mse_loss
from ..number_loss import number_loss
from .families import FAMILIES, Family
from .masking import mean_known
from .network import ForecastNetwork
from .windowed import Batch, ForecastData

__all__ = ["LossSpec", "Validation", "centre_of", "family_of", "forecast_with", "knots_with"]


@dataclass(frozen=True)
class LossSpec:
    """Which loss, and the weight penalties that are added to it.

    penalties: (name, strength) pairs, where a name is input, recurrent or bias with _l1 or _l2.
    """

    name: str = "mae"
    quantile: float = 0.5
    penalties: tuple[tuple[str, float], ...] = ()

    def error(self, forecast: Tensor, truth: Tensor, *units: Tensor) -> Tensor:
        """The mean loss over windows and steps; both (B, K), standardised. Steps where the truth is NaN don't count.

        mae, mse, huber: of `number_loss`; quantile: max(qe, (q−1)e) for e = truth − forecast (Koenker & Bassett 1978).
        Of a distribution's parameters (B, K, P) the mean negative log-likelihood, or the pinball loss of joint
        quantiles; `units`: offset and unit of a family on values from 0 on, (B, K) each.
        """
        unknown = torch.isnan(truth)
        some = bool(unknown.any())
        if some or self.name in FAMILIES:
            forecast, truth, units = forecast.flatten(0, 1), truth.flatten(), tuple(unit.flatten() for unit in units)
        if some:
            # By number: the gradient of a choice by mask would sort what it adds up.
            at = (~unknown).flatten().nonzero().flatten()
            forecast, truth = forecast.index_select(0, at), truth.index_select(0, at)
            units = tuple(unit.index_select(0, at) for unit in units)
        if self.name in FAMILIES:
            return FAMILIES[self.name].loss(forecast, truth, *units)
        if self.name == "mse":
            return mse_loss(forecast, truth)  # the mean of the squares, with its gradient, in one pass
        if self.name != "quantile":
            return number_loss(self.name, forecast, truth).mean()
        error = truth - forecast
        return torch.maximum(self.quantile * error, (self.quantile - 1) * error).mean()

    def of_batch(self, network: nn.Module, batch: Batch) -> Tensor:
        """The loss of a network on one training batch: what `seqloom.training.fit` makes smaller."""
        x, future, y = batch
        return self.error(network(x, future), *(y.unbind(2) if y.ndim == 3 else (y,)))

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
            if not (isinstance(module, ForecastNetwork) and module.flat):
                return by_group(module)
            total = torch.zeros(())
            for name, parameter in module.named_parameters():
                group = "bias" if name.endswith("bias") else "input"
                total = total + strengths.get(f"{group}_l1", 0.0) * parameter.abs().sum()
                total = total + strengths.get(f"{group}_l2", 0.0) * parameter.square().sum()
            return total

        return penalty


class Validation:
    """The loss and the MAE of a network on the windows that choose, at the end of each epoch.

    Raises SettingError where no window has the anchor.
    """

    def __init__(self, data: ForecastData, loss: LossSpec, anchor: str) -> None:
        self._data, self._loss = data, loss
        self._choose = data.anchored(anchor, data.choose)
        if not len(self._choose):
            raise SettingError(
                f"anchor: no validation window has a whole season ({data.season:g} rows) before it; use a shorter "
                "season or another anchor."
            )
        self._truth, self._anchor = data.truth(self._choose), anchor
        self._unit = data.unit(self._choose)
        self.reach = data.spec.horizon  # rows that the targets of a window lie within
        self._scaled = torch.from_numpy(data.scaled_truth(anchor, self._choose))
        family = FAMILIES.get(loss.name)
        units = data.units_of(anchor, self._choose) if family is not None and family.counted else ()
        self._units = [torch.from_numpy(unit) for unit in units]

    def __call__(self, network: nn.Module) -> dict[str, float]:
        """loss and scaled_mae on standardised values, mae in the target's unit (`ForecastData.unit`)."""
        raw = torch.from_numpy(_run_network(network, self._data, self._choose))
        output = centre_of(self._loss.name, raw, *self._units)
        errors = np.abs(self._data.unscaled(output.numpy(), self._anchor, self._choose) - self._truth) / self._unit
        return {
            "loss": self._loss.error(raw, self._scaled, *self._units).item(),
            "mae": float(mean_known(errors, self._truth)),
            "scaled_mae": LossSpec("mae").error(output, self._scaled).item(),
        }

    def by_window(self, network: nn.Module) -> np.ndarray:
        """The mean absolute error of each window that has a known step, in the target's unit: (N,) float64."""
        output = _run_network(network, self._data, self._choose)
        errors = np.abs(self._data.unscaled(output, self._anchor, self._choose) - self._truth) / self._unit
        known = np.isfinite(errors)
        some = known.any(axis=1)
        return np.where(known, errors, 0.0).sum(axis=1)[some] / known.sum(axis=1)[some]


def forecast_with(network: nn.Module, data: ForecastData, anchor: str, origins: np.ndarray) -> np.ndarray:
    """Forecasts in the target's unit: (N, K) float64."""
    family = family_of(network)
    output = _run_network(network, data, origins)
    if family is None:
        return data.unscaled(output, anchor, origins)
    units = data.units_of(anchor, origins) if family.counted else ()
    centre = centre_of(family.name, torch.from_numpy(output), *map(torch.from_numpy, units))
    return data.unscaled(centre.numpy(), anchor, origins)


def knots_with(network: nn.Module, data: ForecastData, anchor: str, origins: np.ndarray) -> np.ndarray:
    """The quantiles of a network's forecast distributions in the target's unit: (N, K, J) at `LEVELS`."""
    family = family_of(network)
    assert family is not None
    knots = family.knots(_run_network(network, data, origins), *data.units_of(anchor, origins))
    return np.stack([data.unscaled(each, anchor, origins) for each in np.moveaxis(knots, 2, 0)], axis=2)


def family_of(network: nn.Module) -> Family | None:
    """The kind of distribution that a network forecasts; None of a point forecast."""
    return network.family if isinstance(network, ForecastNetwork) else None


def centre_of(name: str, output: Tensor, *units: Tensor) -> Tensor:
    """The forecast (N, K) of a network's output for the loss of that name; units: offset and unit of counted values."""
    return FAMILIES[name].centre(output, *units[:1]) if name in FAMILIES else output


def _run_network(network: nn.Module, data: ForecastData, origins: np.ndarray) -> np.ndarray:
    """The network's raw output over the windows: (N, K) float64, standardised and without its anchor, or (N, K, P)."""
    was_training = network.training
    network.eval()
    family = family_of(network)
    shape = (0, len(data.spec.steps)) if family is None else (0, len(data.spec.steps), family.outputs)
    parts = [np.empty(shape, dtype=np.float64)]
    with torch.no_grad():
        parts += [network(*data.inputs(chunk)).double().numpy() for chunk in data.chunks(origins)]
    network.train(was_training)
    return np.concatenate(parts)

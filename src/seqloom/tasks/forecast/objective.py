"""The training loss, and the error that selects weights: the loss of a batch, and errors over whole windows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ...errors import SettingError
from ...nn import WeightPenalty
from ...ops.losses import mse_loss
from ..number_loss import number_loss
from .masking import mean_known
from .network import ForecastNetwork
from .windowed import Batch, ForecastData

__all__ = ["LossSpec", "Validation", "forecast_with"]


@dataclass(frozen=True)
class LossSpec:
    """Which loss, and the weight penalties that are added to it.

    penalties: (name, strength) pairs, where a name is input, recurrent or bias with _l1 or _l2.
    """

    name: str = "mae"
    quantile: float = 0.5
    penalties: tuple[tuple[str, float], ...] = ()

    def error(self, forecast: Tensor, truth: Tensor) -> Tensor:
        """The mean loss over windows and steps; both (B, K), standardised. Steps where the truth is NaN don't count.

        mae, mse, huber: of `number_loss`; quantile: max(qe, (q−1)e) for e = truth − forecast (Koenker & Bassett 1978).
        """
        unknown = torch.isnan(truth)
        if bool(unknown.any()):
            forecast, truth = forecast[~unknown], truth[~unknown]
        if self.name == "mse":
            return mse_loss(forecast, truth)  # the mean of the squares, with its gradient, in one pass
        if self.name != "quantile":
            return number_loss(self.name, forecast, truth).mean()
        error = truth - forecast
        return torch.maximum(self.quantile * error, (self.quantile - 1) * error).mean()

    def of_batch(self, network: nn.Module, batch: Batch) -> Tensor:
        """The loss of a network on one training batch: what `seqloom.training.fit` makes smaller."""
        x, future, y = batch
        return self.error(network(x, future), y)

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
        self._choose = data.choose[np.isfinite(data.anchors(anchor, data.choose)).all(axis=1)]
        if not len(self._choose):
            raise SettingError(
                f"anchor: no validation window has a whole season ({data.season:g} rows) before it; use a shorter "
                "season or another anchor."
            )
        self._truth, self._anchor = data.truth(self._choose), anchor
        self._unit = data.unit(self._choose)
        self.reach = data.spec.horizon  # rows that the targets of a window lie within
        self._scaled = torch.from_numpy(data.scaled_truth(anchor, self._choose))

    def __call__(self, network: nn.Module) -> dict[str, float]:
        """loss and scaled_mae on standardised values, mae in the target's unit (`ForecastData.unit`)."""
        output = torch.from_numpy(_run_network(network, self._data, self._choose))
        errors = np.abs(self._data.unscaled(output.numpy(), self._anchor, self._choose) - self._truth) / self._unit
        return {
            "loss": self._loss.error(output, self._scaled).item(),
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
    return data.unscaled(_run_network(network, data, origins), anchor, origins)


def _run_network(network: nn.Module, data: ForecastData, origins: np.ndarray) -> np.ndarray:
    """The network's raw output over the windows: (N, K) float64, standardised and without its anchor."""
    was_training = network.training
    network.eval()
    parts = [np.empty((0, len(data.spec.steps)), dtype=np.float64)]
    with torch.no_grad():
        parts += [network(*data.inputs(chunk)).double().numpy() for chunk in data.chunks(origins)]
    network.train(was_training)
    return np.concatenate(parts)

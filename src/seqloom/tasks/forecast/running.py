"""A fitted forecaster's network as it runs in predictions: the runtime's, or torch's where that has none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from seqloom_runtime import forward
from seqloom_runtime.forecast import network as runtime
from seqloom_runtime.forecast.families import FAMILIES
from seqloom_runtime.forecast.spec import NetworkSpec

from ..networks import model_of
from ..predictor import predictor_of
from ..saved_fields import network_arrays
from .network import ForecastNetwork

if TYPE_CHECKING:
    from .forecaster import Forecaster

__all__ = ["TorchNetwork", "running_network"]


class TorchNetwork:
    """A network of torch, called as the runtime's are: one with a body that the runtime does not know, or one's own."""

    def __init__(self, network: nn.Module) -> None:
        self._network = network.eval()
        kind = network.spec.family if isinstance(network, ForecastNetwork) else ""
        self.family = FAMILIES.get(kind)

    def __call__(self, x: np.ndarray, future: np.ndarray | None = None) -> np.ndarray:
        """(B, L, I) [and (B, K, F)] → (B, K), or (B, K, P)."""
        with torch.no_grad():
            known = None if future is None else torch.from_numpy(future)
            return self._network(torch.from_numpy(x), known).numpy()


def running_network(forecaster: Forecaster) -> Any:
    """The network of a fitted forecaster, made once for its weights; raises AttributeError where it has none."""
    network = forecaster.learned_.network
    return predictor_of(forecaster, lambda: _made(network), network)


def _made(network: nn.Module) -> Any:
    if not isinstance(network, ForecastNetwork) or not _known(network.spec.name):
        return TorchNetwork(network)
    return runtime.ForecastNetwork(NetworkSpec.from_json(network.spec.to_json()), network_arrays(network))


def _known(name: str) -> bool:
    """Whether a model is one of the runtime's, not one that a program has registered."""
    ours, theirs = model_of("forecast", name), forward.MODELS["forecast"].get(name)
    if theirs is None or theirs.body not in forward.BODIES:
        return False
    return (ours.body, dict(ours.fixed), ours.head) == (theirs.body, dict(theirs.fixed), theirs.head)

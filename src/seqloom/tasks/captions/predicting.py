"""What predicts for a fitted `Captioner`: the runtime's predictor, of the fit's own arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from seqloom_runtime.captions.network import CaptionNetwork as WithoutTorch
from seqloom_runtime.captions.predictor import CaptionPredictor

from ..predictor import has_form, predictor_of
from ..saved_fields import network_arrays
from ..translation.predicting import TorchNetwork, changed
from .network import CaptionNetwork

if TYPE_CHECKING:
    from .model import Captioner

__all__ = ["predictor"]


def predictor(model: Captioner) -> CaptionPredictor:
    """The predictor of a fitted model."""
    found: Any = model.model_

    def make() -> CaptionPredictor:
        return CaptionPredictor(
            _network(found) if isinstance(found, CaptionNetwork) else found,
            model.size_,
            model.range_,
            model.target_,
            model.longest_,
            int(model.beams),
            float(model.length_penalty),
            model.notes_,
        )

    return predictor_of(model, make, *([found] if isinstance(found, CaptionNetwork) else []))


def _network(network: CaptionNetwork) -> Any:
    if not has_form("captions", network.spec.name):
        return _TorchNetwork(network)
    return WithoutTorch(network.spec.to_json(), network_arrays(network))


class _TorchNetwork(TorchNetwork):
    """A network with a body that the runtime doesn't have, as it was registered by a user."""

    @property
    def shape(self) -> Any:
        """Its specification, which knows the places of its maps."""
        return self.spec

    def encode(self, pictures: np.ndarray) -> tuple[Any, Any]:  # type: ignore[override]  # pictures have no mask
        """What the decoder attends to, and its first state, as arrays."""
        with torch.no_grad():
            encoded, state = self.network.encode(torch.from_numpy(pictures))
        return encoded, changed(state, torch.Tensor.numpy)

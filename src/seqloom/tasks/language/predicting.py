"""What predicts for a fitted language model: the runtime's predictor, of the fit's own arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from seqloom_runtime.language import LanguagePredictor
from seqloom_runtime.language.network import LanguageNetwork as WithoutTorch
from seqloom_runtime.language.network import LanguageSpec
from seqloom_runtime.language.scoring import Adaptation

from ..predictor import has_form, predictor_of
from ..saved_fields import network_arrays
from .network import LanguageNetwork

if TYPE_CHECKING:
    from .model import LanguageModel

__all__ = ["predictor", "without_torch"]


def predictor(model: LanguageModel) -> LanguagePredictor:
    """The predictor of a fitted language model."""
    found: Any = model.model_

    def make() -> LanguagePredictor:
        predicts = without_torch(found) if isinstance(found, LanguageNetwork) else found
        how = Adaptation(int(model.cache), float(model.cache_weight), float(model.cache_flatness))
        return LanguagePredictor(model.level, model.vocabulary_, model.start_, predicts, bool(model.join_spaced), how)

    return predictor_of(model, make, *([found] if isinstance(found, LanguageNetwork) else []))


def without_torch(network: LanguageNetwork) -> Any:
    """The network as the runtime computes it; with a body that it doesn't have, torch's behind the same methods."""
    if not has_form("language", network.spec.name):
        return _TorchNetwork(network)
    return WithoutTorch(LanguageSpec.from_json(network.spec.to_json()), network_arrays(network))


class _TorchNetwork:
    """A network with a body that the runtime doesn't have, as it was registered by a user."""

    def __init__(self, network: LanguageNetwork) -> None:
        self.network, self.spec = network.eval(), network.spec
        self.softmax, self.state_axis = network.softmax, getattr(network.body, "state_axis", 0)
        self._embedding = network.embedding.weight.detach().numpy()
        if self.softmax is None:
            self.weight, self.bias = network.weight.detach().numpy(), network.bias.detach().numpy()

    @property
    def embedding(self) -> Any:
        """Rows by number, called or as an array."""
        return _Rows(self._embedding)

    def features(self, ids: np.ndarray, state: Any = None) -> tuple[np.ndarray, Any]:
        """ids (B, T) → features (B, T, F), and the state after them."""
        with torch.no_grad():
            features, after = self.network.features(torch.from_numpy(ids), _changed(state, torch.from_numpy))
        return features.numpy(), _changed(after, torch.Tensor.numpy)

    def logits(self, features: np.ndarray) -> np.ndarray:
        """features (…, F) → (…, V)."""
        with torch.no_grad():
            return self.network.logits(torch.from_numpy(features)).numpy()

    def losses(self, features: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """−ln P (N,) of the words `targets` after features (N, F)."""
        with torch.no_grad():
            return self.network.losses(torch.from_numpy(features), torch.from_numpy(targets)).numpy()

    def initial_state(self, rows: int) -> Any:
        """The state at the start of texts."""
        return _changed(self.network.initial_state(rows), torch.Tensor.numpy)

    def stream(self, batch_size: int = 1) -> Any:
        """The body one step at a time."""
        return self.network.body.stream(batch_size)


class _Rows:
    """An array that is looked up by a call too."""

    def __init__(self, weight: np.ndarray) -> None:
        self.weight = weight

    def __call__(self, ids: np.ndarray) -> np.ndarray:
        return self.weight[ids]


def _changed(state: Any, how: Any) -> Any:
    """A state of arrays as one of tensors, or the other way."""
    if state is None:
        return None
    if isinstance(state, (tuple, list)):
        return tuple(_changed(part, how) for part in state)
    return how(state)

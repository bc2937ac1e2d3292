"""What predicts for a fitted tagger: the runtime's predictor, of the fit's own arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from seqloom_runtime.tagging import TagPredictor
from seqloom_runtime.tagging.frequent import FrequentTags
from seqloom_runtime.tagging.network import TaggerSpec
from seqloom_runtime.tagging.network import TaggingNetwork as WithoutTorch

from ..predictor import has_form, predictor_of
from ..saved_fields import network_arrays
from .network import TaggingNetwork

if TYPE_CHECKING:
    from .tagger import SequenceTagger

__all__ = ["predictor"]


def predictor(tagger: SequenceTagger) -> TagPredictor:
    """The predictor of a fitted tagger."""
    model: FrequentTags | TaggingNetwork = tagger.model_

    def make() -> TagPredictor:
        predicts = model if isinstance(model, FrequentTags) else _network(model)
        return TagPredictor(tagger.vocabulary_, tagger.tags_, predicts, bool(tagger.lower), bool(tagger.digits))

    return predictor_of(tagger, make, *([] if isinstance(model, FrequentTags) else [model]))


def _network(network: TaggingNetwork) -> Any:
    if not has_form("tagging", network.spec.name):
        return _TorchNetwork(network)
    return WithoutTorch(TaggerSpec.from_json(network.spec.to_json()), network_arrays(network))


class _TorchNetwork:
    """A network with a body that the runtime doesn't have, as it was registered by a user."""

    def __init__(self, network: TaggingNetwork) -> None:
        self.network, self.spec = network.eval(), network.spec

    def best(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """The most likely tags (B, T)."""
        with torch.no_grad():
            return self.network.best(torch.from_numpy(ids), torch.from_numpy(mask)).numpy()

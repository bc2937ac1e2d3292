"""What predicts for a fitted `Seq2Seq`: the runtime's predictor, of the fit's own arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from seqloom_runtime.translation import TranslationPredictor
from seqloom_runtime.translation.network import TranslationNetwork as WithoutTorch
from seqloom_runtime.translation.network import TranslationSpec

from ..networks.writer import Encoded
from ..predictor import has_form, predictor_of
from ..saved_fields import network_arrays
from .network import TranslationNetwork

if TYPE_CHECKING:
    from .model import Seq2Seq

__all__ = ["TorchNetwork", "changed", "predictor"]


def predictor(model: Seq2Seq) -> TranslationPredictor:
    """The predictor of a fitted model."""
    found: Any = model.model_

    def make() -> TranslationPredictor:
        predicts = _network(found) if isinstance(found, TranslationNetwork) else found
        return TranslationPredictor(
            level_=model.level_,
            source_=model.source_,
            target_=model.target_,
            predicts=predicts,
            longest=model.longest_,
            max_length=int(model.max_length),
            beams=int(model.beams),
            strength=float(model.length_penalty),
        )

    return predictor_of(model, make, *([found] if isinstance(found, TranslationNetwork) else []))


def _network(network: TranslationNetwork) -> Any:
    if not has_form("translation", network.spec.name):
        return TorchNetwork(network)
    return WithoutTorch(TranslationSpec.from_json(network.spec.to_json()), network_arrays(network))


class TorchNetwork:
    """A network with a body that the runtime doesn't have, as it was registered by a user."""

    def __init__(self, network: Any) -> None:
        self.network, self.spec = network.eval(), network.spec
        self.attention, self.end = network.attention, network.end

    def encode(self, ids: np.ndarray, mask: np.ndarray) -> tuple[Encoded, Any]:
        """What the decoder attends to, and its first state, as arrays."""
        with torch.no_grad():
            encoded, state = self.network.encode(torch.from_numpy(ids), torch.from_numpy(mask))
        return encoded, changed(state, torch.Tensor.numpy)

    def step(self, before: np.ndarray, encoded: Encoded, state: Any) -> tuple[np.ndarray, Any, np.ndarray | None]:
        """before (B,) → log P (B, V) of the next token, the state, attention (B, T)."""
        with torch.no_grad():
            scores, state, weights = self.network.step(
                torch.from_numpy(before), encoded, changed(state, torch.from_numpy)
            )
        return scores.numpy(), changed(state, torch.Tensor.numpy), None if weights is None else weights.numpy()


def changed(state: Any, how: Any) -> Any:
    """A decoder's state, each part of it changed."""
    return tuple(map(how, state)) if isinstance(state, tuple) else how(state)

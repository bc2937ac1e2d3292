"""What predicts for a fitted `Transcriber`: the runtime's predictor, of the fit's own arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from seqloom_runtime.transcription import TranscriptionPredictor
from seqloom_runtime.transcription.network import TranscriptionNetwork as WithoutTorch
from seqloom_runtime.transcription.network import TranscriptionSpec

from ..language.predicting import predictor as language_predictor
from ..predictor import has_form, predictor_of
from ..saved_fields import network_arrays
from .network import TranscriptionNetwork

if TYPE_CHECKING:
    from .model import Transcriber

__all__ = ["predictor"]


def predictor(model: Transcriber) -> TranscriptionPredictor:
    """The predictor of a fitted transcriber."""
    found: Any = model.model_

    def make() -> TranscriptionPredictor:
        predicts = _network(found) if isinstance(found, TranscriptionNetwork) else found
        return TranscriptionPredictor(
            symbols_=model.symbols_,
            rate_=model.rate_,
            mean=model.mean_,
            scale=model.scale_,
            predicts=predicts,
            language=None if model.language_ is None else language_predictor(model.language_),
            mels=int(model.mels),
            shift=float(model.frame_shift),
            convert=bool(model.convert_rate),
            beams=model.beams_,
            weight=float(model.language_weight),
            bonus=float(model.token_bonus),
        )

    return predictor_of(model, make, *([found] if isinstance(found, TranscriptionNetwork) else []))


def _network(network: TranscriptionNetwork) -> Any:
    if not has_form("transcription", network.spec.name):
        return _TorchNetwork(network)
    return WithoutTorch(TranscriptionSpec.from_json(network.spec.to_json()), network_arrays(network))


class _TorchNetwork:
    """A network with a body that the runtime doesn't have, as it was registered by a user."""

    def __init__(self, network: TranscriptionNetwork) -> None:
        self.network, self.spec = network.eval(), network.spec

    def __call__(self, x: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """x (B, T, F), mask (B, T) → log P (B, S, V), and how many steps (B,)."""
        with torch.no_grad():
            p, steps = self.network(torch.from_numpy(x), torch.from_numpy(mask))
        return p.numpy(), steps.numpy()

"""What predicts for a fitted text classifier: the runtime's predictor, of the fit's own arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from seqloom_runtime.text import TextPredictor
from seqloom_runtime.text.network import TextNetwork, TextSpec

from ..predictor import has_form, predictor_of
from ..saved_fields import network_arrays
from .learning import Learned

if TYPE_CHECKING:
    from .classifier import TextClassifier

__all__ = ["predictor"]


def predictor(classifier: TextClassifier) -> TextPredictor:
    """The predictor of a fitted classifier."""
    learned: Learned | None = getattr(classifier, "learned_", None)
    bag = getattr(classifier, "bag_", None)

    def make() -> TextPredictor:
        return TextPredictor(
            model=classifier.model,
            classes_=classifier.classes_,
            shares=classifier.shares_,
            temperature=classifier.temperature_,
            tokenizer=getattr(classifier, "tokenizer_", None),
            predicts=bag if learned is None else _network(learned),
            max_length=int(classifier.max_length),
            keep=classifier.keep,
            long_numbers=bool(classifier.long_numbers),
        )

    return predictor_of(classifier, make, *([] if learned is None else [learned.network]))


def _network(learned: Learned) -> TextNetwork | _TorchNetwork:
    if not has_form("text", learned.spec.name):
        return _TorchNetwork(learned)
    return TextNetwork(TextSpec.from_json(learned.spec.to_json()), network_arrays(learned.network))


class _TorchNetwork:
    """A network with a body that the runtime doesn't have, as it was registered by a user."""

    def __init__(self, learned: Learned) -> None:
        self.network, self.spec, self.width = learned.network.eval(), learned.spec, None

    def __call__(self, ids: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """(B, T) and (B,) → (B, K)."""
        with torch.no_grad():
            return self.network(torch.from_numpy(ids), torch.from_numpy(lengths)).numpy()

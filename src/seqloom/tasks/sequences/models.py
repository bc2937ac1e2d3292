"""What a fitted sequence estimator predicts with: a trained network, or a baseline that looks at little or nothing.

Both give outputs (N, O), or (rows, O) where every step has them, in the sense of the estimator's coding.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import torch

from seqloom_runtime.data.sequences import Sequences
from seqloom_runtime.errors import DataError, SettingError

from ..memory import weights_of
from .coding import BinaryCoding, ClassCoding, Coding, NumberCoding
from .network import SequenceNetwork, SequenceNetworkSpec
from .prepared import Examples, Scale, scoring_batches

__all__ = ["BASELINES", "BaselineModel", "NetworkModel", "SequenceModel", "fit_baseline", "run_network"]

BASELINES = ("majority", "mean", "last")


class SequenceModel(ABC):
    """Base of what predicts; `n_parameters` counts what was learned."""

    n_parameters: int

    @abstractmethod
    def outputs(self, sequences: Sequences) -> np.ndarray:
        """(N, O) or (rows, O) float64."""


class NetworkModel(SequenceModel):
    """A trained network with the scale of its inputs."""

    def __init__(self, network: SequenceNetwork, spec: SequenceNetworkSpec, scale: Scale) -> None:
        self.network, self.spec, self.scale = network.eval(), spec, scale
        self.n_parameters = weights_of(network)

    def outputs(self, sequences: Sequences) -> np.ndarray:
        """(N, O) or (rows, O) float64."""
        return run_network(self.network, sequences, self.scale, self.spec)


class BaselineModel(SequenceModel):
    """The same outputs for every sequence and step, or those that the present values say.

    values: (O,) what is always answered; (2, O) logits after a 0 and after a 1 (last, of yes-or-no answers); or for the
    last value, mean and standard deviation (2, O) of the targets' scale.
    """

    def __init__(self, name: str, values: np.ndarray, *, every_step: bool, binary: bool) -> None:
        self.name, self.values, self.every_step, self.binary = name, values, every_step, binary
        # The scale of the targets, which `last` carries, was not learned for it.
        self.n_parameters = 0 if name == "last" and not binary else values.size

    def outputs(self, sequences: Sequences) -> np.ndarray:
        """(N, O) or (rows, O) float64."""
        count = len(sequences.values) if self.every_step else len(sequences)
        if self.name != "last":
            return np.repeat(self.values[None], count, axis=0)
        rows = slice(None) if self.every_step else sequences.offsets[1:] - 1
        now = sequences.values[rows, : self.values.shape[1]].astype(np.float64)
        if self.binary:
            return np.where(now >= 0.5, self.values[1], self.values[0])
        # The answer goes through the coding like a network's output, so it is given in the targets' scale.
        return (now - self.values[0]) / self.values[1]


def run_network(network: SequenceNetwork, sequences: Sequences, scale: Scale, spec: SequenceNetworkSpec) -> np.ndarray:
    """The network's outputs over all sequences, in their order: (N, O) or (rows, O) float64."""
    rows = len(sequences.values) if spec.every_step else len(sequences)
    outputs = np.empty((rows, spec.outputs), dtype=np.float64)
    was_training = network.training
    network.eval()
    # Of films the steps are pixels, the inputs of the body whole frames.
    width = -(-spec.body.widest // spec.joined) if spec.body.picture else spec.body.widest
    with torch.no_grad():
        for numbers, x, mask in scoring_batches(sequences, scale, width):
            found = network(x, mask)
            if not spec.every_step:
                outputs[numbers] = found.numpy()
            else:
                kept = found.flatten(0, 1) if mask is None else found[mask]
                outputs[sequences.rows(numbers)] = kept.numpy()
    network.train(was_training)
    return outputs


def fit_baseline(name: str, coding: Coding, examples: Examples) -> BaselineModel:
    """The baseline of that name, from training examples.

    majority: the classes' shares. mean: the mean of the targets, or how often each answer is yes. last: the present
    values are the answer; of yes-or-no answers, how often yes follows a no, and a yes. Shares count one more of each
    kind than there are (Laplace), so that none is 0. Raises SettingError where the coding has no such baseline,
    DataError where the sequences have fewer channels than there are targets.
    """
    counted = examples.weight > 0
    target = examples.target[counted]
    binary = isinstance(coding, BinaryCoding)
    if isinstance(coding, ClassCoding):
        if name != "majority":
            raise SettingError(f"model: the baseline of classes is 'majority', got {name!r}.")
        values = np.log((np.bincount(target, minlength=coding.outputs) + 1.0) / (len(target) + coding.outputs))
    elif name == "majority":
        raise SettingError("model: 'majority' is a baseline of classes; of numbers there are 'mean' and 'last'.")
    elif name == "mean":
        values = _log_odds(target) if binary else target.mean(axis=0, dtype=np.float64)
    else:
        if examples.sequences.width < coding.outputs:
            raise DataError(
                f"model: the baseline 'last' takes the first {coding.outputs} channels for the {coding.outputs} "
                f"targets, but the sequences have {examples.sequences.width}; use 'mean'."
            )
        if binary:
            on = examples.sequences.values[:, : coding.outputs][counted] >= 0.5
            values = np.stack([_log_odds(target, ~on), _log_odds(target, on)])
        else:
            assert isinstance(coding, NumberCoding)
            scale = coding.scale
            # Mean 0 and deviation 1 leave the present values as they are, for targets that are not scaled.
            plain = np.stack([np.zeros(coding.outputs), np.ones(coding.outputs)])
            values = plain if scale.mean is None or scale.std is None else np.stack([scale.mean, scale.std])
    return BaselineModel(name, values, every_step=examples.every_step, binary=binary)


def _log_odds(target: np.ndarray, where: np.ndarray | None = None) -> np.ndarray:
    """log((yes + 1) / (no + 1)) by column of 0 and 1 (M, K), over the places that `where` says."""
    kept = np.ones(target.shape, dtype=bool) if where is None else where
    yes = (target * kept).sum(axis=0, dtype=np.float64)
    return np.log((yes + 1.0) / (kept.sum(axis=0) - yes + 1.0))

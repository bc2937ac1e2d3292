"""What a fitted sequence estimator predicts with: a trained network, or a baseline that looks at little or nothing.

Both give outputs (N, O), or (rows, O) where every step has them, in the sense of the estimator's coding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from seqloom_runtime.data.sequences import Sequences
from seqloom_runtime.errors import DataError, SettingError
from seqloom_runtime.sequences import models as predicting
from seqloom_runtime.sequences.models import BASELINES, BaselineModel, SequenceModel

from ..memory import weights_of
from ..predictor import predictor_of, runs_without_torch
from ..saved_fields import network_arrays
from .coding import BinaryCoding, ClassCoding, Coding, NumberCoding
from .network import SequenceNetwork, SequenceNetworkSpec
from .prepared import Examples, Scale

__all__ = ["BASELINES", "BaselineModel", "NetworkModel", "SequenceModel", "fit_baseline", "run_network"]


class NetworkModel(SequenceModel):
    """A trained network with the scale of its inputs; `n_parameters` counts what was learned."""

    def __init__(self, network: SequenceNetwork, spec: SequenceNetworkSpec, scale: Scale) -> None:
        self.network, self.spec, self.scale = network.eval(), spec, scale
        self.n_parameters = weights_of(network)

    @property
    def predicting(self) -> predicting.NetworkModel | None:
        """The same in the runtime; None for a body or a head that a user registered."""
        if not runs_without_torch(self.spec.body.kind, head=self.spec.head):
            return None

        def make() -> predicting.NetworkModel:
            network = predicting.SequenceNetwork.build(self.spec.to_json(), network_arrays(self.network))
            return predicting.NetworkModel(network, self.scale)

        return predictor_of(self, make, self.network)

    def outputs(self, sequences: Sequences) -> np.ndarray:
        """(N, O) or (rows, O) float64."""
        found = self.predicting
        if found is None:
            return run_network(self.network, sequences, self.scale, self.spec)
        return found.outputs(sequences)

    def stepper(self) -> Callable[[np.ndarray], np.ndarray]:
        """A function that takes one step (C,) after another and gives its outputs (O,), which remembers them."""
        found = self.predicting
        return _stepper(self.network, self.scale) if found is None else found.stepper()

    def steps(self, batch_size: int) -> Any:
        """What a stream goes through; raises SettingError where torch alone runs the network, or it looks ahead."""
        found = self.predicting
        if found is None:
            raise SettingError(f"stream: the body {self.spec.body.kind!r} was registered and has no steps here.")
        return found.steps(batch_size)


def run_network(network: SequenceNetwork, sequences: Sequences, scale: Scale, spec: SequenceNetworkSpec) -> np.ndarray:
    """The network's outputs by torch, over all sequences, in their order: (N, O) or (rows, O) float64.

    Training is watched by it; a fitted model predicts by `NetworkModel.outputs`.
    """
    was_training = network.training
    network.eval()
    # Of films the steps are pixels, the inputs of the body whole frames.
    width = -(-spec.body.widest // spec.joined) if spec.body.picture else spec.body.widest

    def run(x: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
        return network(torch.from_numpy(x), None if mask is None else torch.from_numpy(mask)).numpy()

    with torch.no_grad():
        outputs = predicting.outputs_of(run, sequences, scale, (spec.outputs, spec.every_step), width)
    network.train(was_training)
    return outputs


def _stepper(network: SequenceNetwork, scale: Scale) -> Callable[[np.ndarray], np.ndarray]:
    """`NetworkModel.stepper` by torch."""
    if not network.body.causal:
        raise SettingError("generate: the model reads its sequences in both directions; train one that doesn't.")
    state: Any = None

    def step(frame: np.ndarray) -> np.ndarray:
        nonlocal state
        with torch.no_grad():
            features, state = network.body.carry(torch.from_numpy(scale.scaled(frame[None, None])), state)
            return network.output(features)[0, 0].double().numpy()

    return step


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

"""What predicts for sequences: a trained network, or a baseline that looks at little or nothing.

Both give outputs (N, O), or (rows, O) where every step has them, in the sense of the coding.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np

from ..data.sequences.ragged import Sequences
from ..errors import SettingError
from .blocks import outputs_of
from .network import SequenceNetwork
from .scale import Scale
from .streaming import BaselineSteps, NetworkSteps

__all__ = ["BASELINES", "BaselineModel", "NetworkModel", "SequenceModel"]

BASELINES = ("majority", "mean", "last")


class SequenceModel(ABC):
    """Base of what predicts."""

    @abstractmethod
    def outputs(self, sequences: Sequences) -> np.ndarray:
        """(N, O) or (rows, O) float64."""

    def stepper(self) -> Callable[[np.ndarray], np.ndarray]:
        """A function that takes one step (C,) after another and gives its outputs (O,)."""
        return lambda frame: self.outputs(Sequences.make([frame[None]]))[-1]

    def steps(self, batch_size: int) -> Any:
        """What `SequenceStream` goes through."""
        return BaselineSteps(self, batch_size)


class NetworkModel(SequenceModel):
    """A trained network with the scale of its inputs."""

    def __init__(self, network: SequenceNetwork, scale: Scale) -> None:
        self.network, self.scale = network, scale

    def outputs(self, sequences: Sequences) -> np.ndarray:
        """(N, O) or (rows, O) float64."""
        network = self.network
        return outputs_of(network, sequences, self.scale, (network.outputs, network.every_step), network.width)

    def stepper(self) -> Callable[[np.ndarray], np.ndarray]:
        """A function that takes one step (C,) after another and gives its outputs (O,), which remembers them.

        Raises SettingError for a network that looks ahead.
        """
        network, scale = self.network, self.scale
        if not network.body.causal:
            raise SettingError("generate: the model reads its sequences in both directions; train one that doesn't.")
        state: Any = None

        def step(frame: np.ndarray) -> np.ndarray:
            nonlocal state
            features, state = network.body.carry(scale.scaled(frame[None, None]), state)
            return network.output(features)[0, 0].astype(np.float64)

        return step

    def steps(self, batch_size: int) -> Any:
        """What `SequenceStream` goes through; raises SettingError for a network that looks ahead."""
        return NetworkSteps(self.network, self.scale, batch_size)


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

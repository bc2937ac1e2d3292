"""Averages of the weights over the steps, evaluated and kept in place of the last: exponential, or NT-ASGD's mean."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

__all__ = ["AveragedWeights", "MeanWeights", "averaging_due"]


class AveragedWeights:
    """w̄ ← d w̄ + (1 − d) w after each step t = 1, 2, …, with d = min(decay, t / (t + 9)), which forgets the start.

    Of the parameters that train; buffers stay those of the last step. Without a decay nothing is kept and nothing
    changes. Source: Polyak & Juditsky 1992; the growing d is that of TensorFlow's ExponentialMovingAverage.

    >>> layer = nn.Linear(1, 1, bias=False)
    >>> average = AveragedWeights({"weight": layer.weight}, 0.5)
    >>> for step, value in enumerate([2.0, 4.0], start=1):
    ...     _ = nn.init.constant_(layer.weight, value)
    ...     average.update(step)
    >>> with average.in_place():
    ...     round(layer.weight.item(), 3)
    3.636
    >>> layer.weight.item()
    4.0
    """

    def __init__(self, parameters: Mapping[str, nn.Parameter], decay: float | None) -> None:
        """Watch the parameters, by name."""
        self._parameters, self._decay = parameters, decay
        self.tensors: dict[str, Tensor] = {}  # empty before the first step

    def update(self, step: int) -> None:
        """Take in the weights as they are after that step."""
        if self._decay is None:
            return
        if not self.tensors:
            self.tensors = {name: weight.detach().clone() for name, weight in self._parameters.items()}
            return
        decay = min(self._decay, step / (step + 9))
        for name, weight in self._parameters.items():
            self.tensors[name].lerp_(weight.detach(), 1 - decay)

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """The parameters hold the averages within, and what they held again behind."""
        if not self.tensors:
            yield
            return
        before = [weight.detach().clone() for weight in self._parameters.values()]
        self.put()
        try:
            yield
        finally:
            self._set(before)

    def put(self) -> None:
        """Give the parameters the averages, where there are any."""
        if self.tensors:
            self._set(list(self.tensors.values()))

    def restore(self, tensors: Mapping[str, Tensor], step: int) -> None:
        """Go on from the averages after `step` steps; raises ValueError where they aren't of these weights."""
        shapes = {name: (weight.shape, weight.dtype) for name, weight in self._expected(step).items()}
        if {name: (tensor.shape, tensor.dtype) for name, tensor in tensors.items()} != shapes:
            raise ValueError("the averaged weights are not those of the module")
        self.tensors = {name: tensors[name] for name in shapes}

    def _expected(self, step: int) -> Mapping[str, nn.Parameter]:
        """What has an average after `step` steps."""
        return {} if self._decay is None or not step else self._parameters

    def _set(self, values: list[Tensor]) -> None:
        with torch.no_grad():
            for weight, value in zip(self._parameters.values(), values):
                weight.copy_(value)


class MeanWeights(AveragedWeights):
    """The mean of the weights over all steps after step `began`; none while that is None.

    NT-ASGD: SGD goes on as before, and the mean is what is validated. Sources: Polyak & Juditsky 1992; when it begins
    (`averaging_due`): Merity et al., arXiv 1708.02182, algorithm 1.
    """

    def __init__(self, parameters: Mapping[str, nn.Parameter]) -> None:
        super().__init__(parameters, None)
        self.began: int | None = None

    def update(self, step: int) -> None:
        """Take in the weights as they are after that step."""
        if self.began is None:
            return
        if not self.tensors:
            self.tensors = {name: weight.detach().clone() for name, weight in self._parameters.items()}
            return
        for name, weight in self._parameters.items():
            self.tensors[name].lerp_(weight.detach(), 1 / (step - self.began))

    def _expected(self, step: int) -> Mapping[str, nn.Parameter]:
        return {} if self.began is None or step <= self.began else self._parameters


def averaging_due(values: Sequence[float], patience: int) -> bool:
    """Whether the last of the epochs' monitored values is above the lowest of all but the `patience` before it.

    >>> averaging_due([3, 4, 3.5, 3.2], patience=2), averaging_due([5, 4, 3, 2, 1], patience=2)
    (True, False)
    """
    *before, last = values
    return len(before) > patience and last > min(before[: len(before) - patience])

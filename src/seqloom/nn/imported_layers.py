"""Small layers that other libraries have and torch lacks: `Activated`, `Masking`, `Repeat`, `FlatSteps`, and so on."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from seqloom.nn.arguments import NotScriptable, check_probability, check_size, kept_only
from seqloom.nn.causal_stages import Stage, TorchStage
from seqloom.nn.embedding import Embedding
from seqloom.nn.receptive_field import Field
from seqloom.ops.activations import ACTIVATIONS
from seqloom_runtime.errors import SettingError, suggest

__all__ = [
    "OTHER_ACTIVATIONS",
    "Activated",
    "ChannelDropout",
    "FlatSteps",
    "Masking",
    "MaskingEmbedding",
    "Repeat",
    "StepAt",
    "Turned",
]

OTHER_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "exponential": torch.exp,
    "gelu": functional.gelu,
    "gelu_tanh": lambda a: functional.gelu(a, approximate="tanh"),
    "log_softmax": lambda a: torch.log_softmax(a, dim=-1),
    "mish": functional.mish,
    "relu6": functional.relu6,
    "selu": functional.selu,
    "silu": functional.silu,
    "softmax": lambda a: torch.softmax(a, dim=-1),
}
"""Beside those of `ops.activations`, for read-outs; softmax and log_softmax are over the last axis."""
_SLOPED = ("leaky_relu", "elu")


class Activated(NotScriptable, nn.Module):
    """An activation function by name: of `ops.activations`, or of `OTHER_ACTIVATIONS`.

    slope: of leaky_relu below 0 (0.01 where None), of elu the α (1 where None).

    >>> Activated("hard_sigmoid_02")(torch.tensor([-3.0, 0.0, 1.0]))
    tensor([0.0000, 0.5000, 0.7000])
    """

    pointwise = True

    def __init__(self, name: str, slope: float | None = None):
        """Make the layer; raises SettingError for an unknown name, or a slope that the function doesn't have."""
        super().__init__()
        known = [*ACTIVATIONS, *OTHER_ACTIVATIONS]
        if name not in known:
            raise SettingError(f"name must be one of {', '.join(known)}, not {name!r}.{suggest(name, known)}")
        if slope is not None and (name not in _SLOPED or not math.isfinite(slope)):
            raise SettingError(f"slope={slope!r} is a finite number, and for {' and '.join(_SLOPED)} alone.")
        self.name, self.slope = name, slope

    def forward(self, x: Tensor) -> Tensor:
        """Numbers of any shape → the same shape."""
        if self.slope is not None:
            return (functional.elu if self.name == "elu" else functional.leaky_relu)(x, self.slope)
        return (ACTIVATIONS.get(self.name) or OTHER_ACTIVATIONS[self.name])(x)

    def field(self) -> Field:
        """An output sees its own step."""
        return Field()

    def stage(self, size: int | None, batch: int, backend: str) -> Stage:
        """The same, step by step."""
        return TorchStage(self, _known(self, size))

    def extra_repr(self) -> str:
        """The name, for `print(module)`."""
        return repr(self.name) + ("" if self.slope is None else f", slope={self.slope!r}")


class Masking(NotScriptable, nn.Module):
    """Leaves out the steps whose numbers all equal `value`, for the layers of a `Chain` behind it."""

    def __init__(self, value: float = 0.0):
        """Make the layer."""
        super().__init__()
        self.value = float(value)

    def mask_of(self, x: Tensor) -> Tensor:
        """Which steps of x (B, T, C) count, (B, T) bool."""
        return (x != self.value).any(dim=-1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C) → the same, with zeros at the steps that are left out."""
        return kept_only(x, self.mask_of(x))

    def field(self) -> Field:
        """An output sees its own step."""
        return Field()

    def stage(self, size: int | None, batch: int, backend: str) -> Stage:
        """Refused."""
        raise SettingError("Masking leaves steps out, and a stream runs every step that it is given: leave it out.")

    def extra_repr(self) -> str:
        """The value, for `print(module)`."""
        return f"{self.value:g}"


class MaskingEmbedding(Embedding):
    """An Embedding that leaves out the steps with word 0, for the layers of a `Chain` behind it."""

    def mask_of(self, ids: Tensor) -> Tensor:
        """Which steps of ids (B, T) count, (B, T) bool."""
        return ids != 0

    def stage(self, size: int | None, batch: int, backend: str) -> Stage:
        """Refused."""
        raise SettingError("this Embedding leaves out word 0, and a stream runs every step that it is given.")


class ChannelDropout(NotScriptable, nn.Module):
    """Dropout of whole channels of (B, T, C): a channel is dropped at all steps of a sequence, or at none."""

    pointwise = True

    def __init__(self, probability: float):
        """Make the layer; raises SettingError for no probability."""
        super().__init__()
        self.probability = check_probability("probability", probability)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C) → the same shape."""
        return functional.dropout1d(x.transpose(1, 2), self.probability, self.training).transpose(1, 2)

    def field(self) -> Field:
        """An output sees its own step."""
        return Field()

    def stage(self, size: int | None, batch: int, backend: str) -> Stage:
        """Nothing is dropped in a stream."""
        return TorchStage(nn.Identity(), _known(self, size))

    def extra_repr(self) -> str:
        """The probability, for `print(module)`."""
        return f"{self.probability:g}"


class Repeat(NotScriptable, nn.Module):
    """(B, C) → (B, times, C), the same row at every step."""

    def __init__(self, times: int):
        """Make the layer; raises SettingError for a number below 1."""
        super().__init__()
        self.times = check_size("times", times)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C) → (B, times, C)."""
        return x[:, None, :].expand(-1, self.times, -1)

    def field(self) -> Field:
        """Every output sees all that stands before."""
        return Field(math.inf, math.inf)

    def extra_repr(self) -> str:
        """The number of steps, for `print(module)`."""
        return str(self.times)


class FlatSteps(NotScriptable, nn.Module):
    """(B, T, C) → (B, T·C), step by step, or channel by channel as libraries with channels first have it."""

    def __init__(self, channels_first: bool = False):
        """Make the layer."""
        super().__init__()
        self.channels_first = channels_first

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C) → (B, T·C); (B, C) stays."""
        return (x.transpose(1, 2) if self.channels_first and x.dim() == 3 else x).flatten(1)

    def field(self) -> Field:
        """The whole sequence."""
        return Field(math.inf, math.inf)

    def extra_repr(self) -> str:
        """The order, for `print(module)`."""
        return "channels_first=True" if self.channels_first else ""


class Turned(NotScriptable, nn.Module):
    """(B, T, C) with the steps in the opposite order."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C) → the same shape."""
        return x.flip(1)

    def field(self) -> Field:
        """The whole sequence."""
        return Field(math.inf, math.inf)


class StepAt(NotScriptable, nn.Module):
    """(B, T, C) → (B, C), one step of each sequence; −1 is the last."""

    def __init__(self, number: int):
        """Make the layer."""
        super().__init__()
        self.number = number

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C) → (B, C); raises SettingError for sequences without that step."""
        if not -x.shape[1] <= self.number < x.shape[1]:
            raise SettingError(f"x has {x.shape[1]} steps, and step {self.number} is asked for.")
        return x[:, self.number]

    def field(self) -> Field:
        """The whole sequence, as one row comes out of it."""
        return Field(math.inf, math.inf)

    def extra_repr(self) -> str:
        """The step, for `print(module)`."""
        return str(self.number)


def _known(module: nn.Module, size: int | None) -> int:
    if size is None:
        raise SettingError(f"{type(module).__name__} can't begin a stream: put it behind a layer with a known width.")
    return size

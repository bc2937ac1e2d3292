"""L1 and L2 penalties on weights by group: input weights, recurrent weights and biases each with their own strength."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn

from seqloom.nn.convolution import Convolution
from seqloom.nn.recurrent_cell import RecurrentCell
from seqloom_runtime.errors import SettingError

__all__ = ["WeightPenalty", "weight_groups"]

_GROUPS = ("input", "recurrent", "bias")


def weight_groups(module: nn.Module) -> dict[str, list[Tensor]]:
    """Return the weights of recurrent layers and convolutions by group "input", "recurrent" and "bias", each once.

    Covers `seqloom.nn` layers and torch.nn's RNN, LSTM and GRU wherever they are inside `module`; other layers have no
    such groups and are left out. A convolution's kernel is in "input", under weight norm the normalised one. Norm gains
    and prelu slopes belong to none.
    """
    groups: dict[str, list[Tensor]] = {name: [] for name in _GROUPS}
    seen: set[int] = set()

    def put(group: str, parameter: Tensor) -> None:
        # A layer that is used twice is penalised once.
        if id(parameter) not in seen:
            seen.add(id(parameter))
            groups[group].append(parameter)

    for part in module.modules():
        if isinstance(part, (RecurrentCell, Convolution)):
            for group, parameters in part.weight_groups().items():
                for parameter in parameters if group in groups else ():
                    put(group, parameter)
        elif isinstance(part, nn.RNNBase):
            for name, parameter in part.named_parameters():
                put(
                    "input" if name.startswith("weight_ih") else "bias" if name.startswith("bias") else "recurrent",
                    parameter,
                )
    return groups


@dataclass(frozen=True)
class WeightPenalty:
    """Σ over the groups of l1·Σ|w| + l2·Σw², to be added to a loss. Each strength is 0 or above.

    Raises SettingError for a negative strength, and when called on a module without such layers.

    >>> from seqloom.nn import RNN
    >>> penalty = WeightPenalty(l2_recurrent=0.5)
    >>> round(float(penalty(RNN(1, 3, recurrent_init="identity")).detach()), 6)  # three ones
    1.5
    """

    l1_input: float = 0.0
    l2_input: float = 0.0
    l1_recurrent: float = 0.0
    l2_recurrent: float = 0.0
    l1_bias: float = 0.0
    l2_bias: float = 0.0

    def __post_init__(self) -> None:
        """Refuse negative strengths."""
        for field in fields(self):
            # Written so that NaN is refused as well.
            if not getattr(self, field.name) >= 0:
                raise SettingError(f"{field.name} must be 0 or above, not {getattr(self, field.name)!r}.")

    def __call__(self, module: nn.Module) -> Tensor:
        """Return the penalty of a module as a scalar tensor."""
        groups = weight_groups(module)
        if not any(groups.values()):
            # A penalty of 0 would hide that the wrong module was given.
            raise SettingError(
                f"{type(module).__name__} holds no recurrent layer and no convolution, so there is nothing to penalise."
            )
        first = next(p for parameters in groups.values() for p in parameters)
        total = torch.zeros((), dtype=first.dtype, device=first.device)
        for group in _GROUPS:
            l1, l2 = getattr(self, f"l1_{group}"), getattr(self, f"l2_{group}")
            for parameter in groups[group]:
                # A strength of 0 costs nothing, not even a sum of zeros.
                if l1:
                    total = total + l1 * parameter.abs().sum()
                if l2:
                    total = total + l2 * parameter.square().sum()
        return total

"""`WeightDropout`: dropout on weights instead of values, around any module (DropConnect, arXiv 1708.02182)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn
from torch.func import functional_call

from seqloom.nn.arguments import Drawing, NotScriptable, generator_of
from seqloom.nn.recurrent_cell import RecurrentCell
from seqloom.ops.draws import draw_mask
from seqloom_runtime.errors import SettingError, suggest

__all__ = ["WeightDropout"]


class WeightDropout(NotScriptable, Drawing):
    """Run a module with some weights dropped: W ⊙ m / (1 − p), m Bernoulli(1 − p), one m for each call in training.

    The same m holds for all rows and steps of a call, so a recurrent layer keeps its speed. In evaluation the weights
    are whole. The parameters stay the module's own; gradients of dropped weights are 0. For seqloom's layers the
    option `weight_dropout` does the same to W_h alone. Source: Merity et al., arXiv 1708.02182.

    >>> module = WeightDropout(nn.Linear(3, 2), 0.5, names=["weight"])
    >>> module(torch.ones(4, 3)).shape
    torch.Size([4, 2])
    """

    def __init__(
        self,
        module: nn.Module,
        probability: float = 0.5,
        *,
        names: Iterable[str] | None = None,
        seed: int | torch.Generator = 0,
    ):
        """Wrap a module.

        probability: of dropping a weight, at least 0 and below 1. names: parameters as `named_parameters` calls them;
        without it the recurrent matrices of every seqloom and torch.nn recurrent layer inside (W_h, weight_hh_l…).
        seed: an int, or the generator that draws m. Raises SettingError for unknown names, and where there are none.
        """
        super().__init__()
        if not 0.0 <= probability < 1.0:
            raise SettingError(f"probability must be at least 0 and below 1, not {probability!r}.")
        known = [name for name, _ in module.named_parameters()]
        # Recurrent matrices by default, as in the paper's AWD-LSTM.
        self.names = _recurrent(module) if names is None else tuple(names)
        for name in self.names:
            if name not in known:
                raise SettingError(
                    f"{type(module).__name__} has no parameter {name!r}.{suggest(name, known)} "
                    f"The parameters: {', '.join(known)}."
                )
        if not self.names:
            raise SettingError(f"{type(module).__name__} holds no recurrent layer: say with names=[…] what to drop.")
        self.module, self.probability = module, float(probability)
        self.generator = generator_of(seed)

    def forward(self, *args: Any, **keywords: Any) -> Any:
        """Call the module, in training with a new mask over the chosen weights."""
        if not (self.training and self.probability):
            return self.module(*args, **keywords)
        parameters = dict(self.module.named_parameters())
        dropped = {}
        # In the order of the names, on which the draws hang.
        for name in self.names:
            weight = parameters[name]
            dropped[name] = weight * draw_mask(self.generator, weight.shape, self.probability, weight)
        # Lent for one call: the parameters stay what optimizers and checkpoints know.
        return functional_call(self.module, dropped, args, keywords)

    def extra_repr(self) -> str:
        """The settings, for `print(module)`."""
        return f"probability={self.probability}, names={list(self.names)}"


def _recurrent(module: nn.Module) -> tuple[str, ...]:
    """The names of all recurrent matrices inside."""
    found = []
    for prefix, part in module.named_modules():
        dot = f"{prefix}." if prefix else ""
        if isinstance(part, RecurrentCell):
            found.append(f"{dot}w_h")
        elif isinstance(part, nn.RNNBase):
            found += [dot + name for name, _ in part.named_parameters() if name.startswith("weight_hh")]
    return tuple(found)

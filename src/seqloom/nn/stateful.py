"""`Stateful`: a module whose state goes on from batch to batch, its gradient cut between them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from seqloom.nn.arguments import NotScriptable
from seqloom_runtime.errors import SettingError

__all__ = ["Stateful"]


class Stateful(NotScriptable, nn.Module):
    """Stateful training: row j of a batch goes on where row j of the batch before ended, gradients do not.

    module: called as module(x, state) → (output, state) and asked for initial_state(rows), as seqloom's recurrent
    layers are. rows: of every batch. The state is tensors or nested tuples of them; it lies in buffers, so that a
    checkpoint of the whole holds it.

    >>> from seqloom.nn import GRU
    >>> layer, x = GRU(2, 3).eval(), torch.randn(4, 6, 2)
    >>> stateful = Stateful(layer, rows=4)
    >>> parts = [stateful(x[:, :2], fresh=True), stateful(x[:, 2:])]
    >>> torch.allclose(torch.cat(parts, 1), layer(x)[0], atol=1e-6)
    True
    """

    def __init__(self, module: nn.Module, rows: int) -> None:
        """Start from the module's initial state; raises SettingError for a module that has none."""
        super().__init__()
        if not callable(getattr(module, "initial_state", None)):
            raise SettingError(f"{type(module).__name__} has no initial_state(rows), so it carries nothing.")
        self.module = module
        self._like = module.initial_state(rows)  # type: ignore[operator]  # a Module's attributes are Tensor | Module
        more = _flat(module.initial_state(rows + 1))  # type: ignore[operator]  # as above
        self._axes = []  # where the rows lie in each tensor of the state
        for number, (part, larger) in enumerate(zip(_flat(self._like), more, strict=True)):
            # Buffers move with the module and are saved with its weights.
            self.register_buffer(f"state_{number}", part.clone())
            self._axes.append(next(k for k, size in enumerate(part.shape) if size != larger.shape[k]))
        self.rows: tuple[int, int] | None = None

    def forward(self, x: Tensor, *, fresh: bool = False) -> Tensor:
        """The module's output for x (rows, T, …) from the state so far; `fresh` starts from the initial one."""
        kept = self.states()
        if fresh:
            state = self.module.initial_state(x.shape[0])  # type: ignore[operator]  # a Module's attributes are Tensor | Module
        else:
            # Copies: the buffers are written over below, while this call's graph still needs what they held.
            parts = iter([part.clone() for part in kept])
            state = _mapped(lambda _: next(parts), self._like)
        output, after = self.module(x, state)
        # The gradient ends here, at the batch.
        with torch.no_grad():
            for own, part in zip(kept, _flat(after), strict=True):
                # copy_ would broadcast one row over all of them in silence.
                if own.shape != part.shape:
                    raise SettingError(
                        f"this module carries a state of shape {tuple(own.shape)}, but x of {tuple(x.shape)} left one "
                        f"of {tuple(part.shape)}: give as many rows as it was made for."
                    )
                own.copy_(part)
        return output

    def states(self) -> list[Tensor]:
        """The tensors of the state; where processes share a batch, this one's rows (`rows`: first, last)."""
        found = [getattr(self, f"state_{number}") for number in range(len(self._axes))]
        if self.rows is None:
            return found
        first, last = self.rows
        return [part.narrow(axis, first, last - first) for part, axis in zip(found, self._axes)]


def _flat(state: Any) -> list[Tensor]:
    """The tensors of a state, nested tuples of them, in order; None counts for nothing."""
    if state is None:
        return []
    return [state] if isinstance(state, Tensor) else [part for inner in state for part in _flat(inner)]


def _mapped(change: Callable[[Tensor], Tensor], state: Any) -> Any:
    """A state of the same nesting with `change` applied to each tensor."""
    if state is None:
        return None
    return change(state) if isinstance(state, Tensor) else tuple(_mapped(change, inner) for inner in state)

"""`truncated_bptt`: a long sequence in windows, the state carried on and its gradient cut between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from seqloom.nn.recurrent import Recurrent, detach
from seqloom_runtime.errors import SettingError

__all__ = ["Chunk", "truncated_bptt"]


# eq=False: tensors compare number by number, so two chunks have no one truth value.
@dataclass(frozen=True, eq=False)
class Chunk:
    """One window: steps start … stop−1, the outputs (B, stop−start, …) there, and the state after them, uncut."""

    start: int
    stop: int
    output: Any
    state: Any

    def of(self, sequence: Tensor) -> Tensor:
        """The same steps of another (B, T, …) tensor, such as the targets."""
        return sequence[:, self.start : self.stop]


def truncated_bptt(
    module: Callable[..., tuple[Any, Any]],
    x: Tensor,
    window: int,
    state: Any = None,
    *,
    mask: Tensor | None = None,
) -> Iterator[Chunk]:
    """Run a module over x window by window; gradients reach back to the start of the window and no further.

    module: a `seqloom.nn` layer, or anything called as module(x, state) that returns (output, state). x: (B, T, …).
    window: steps of a window, 1 or more; the last one may be shorter. state: where to start from; it is cut off too.
    mask: (B, T) bool, passed on window by window as `mask=`. Dropout masks are drawn anew for every window.

    Call backward on each chunk's loss before asking for the next chunk. With a window of T steps or more there is one
    chunk, and the gradient is the full one. Raises SettingError for a window below 1, and for a module that reads
    the sequence backwards, whose state would have to come from the next window.

    >>> import torch
    >>> from seqloom.nn import GRU
    >>> module, x, y = GRU(1, 3), torch.ones(2, 7, 1), torch.zeros(2, 7, 3)
    >>> for chunk in truncated_bptt(module, x, window=3):
    ...     (chunk.output - chunk.of(y)).square().mean().backward()
    ...     print(chunk.start, chunk.stop)
    0 3
    3 6
    6 7
    """
    if isinstance(window, bool) or not isinstance(window, int) or window < 1:
        raise SettingError(f"window must be a whole number of steps, 1 or more, not {window!r}.")
    if not isinstance(x, Tensor) or x.dim() < 2:
        got = tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__
        raise SettingError(f"x must be a tensor of shape (batch, time, …), not {got}.")
    if isinstance(module, Recurrent) and (module.options.bidirectional or module.options.reverse):
        name = "bidirectional" if module.options.bidirectional else "reverse"
        raise SettingError(
            f"{name}=True reads the sequence from its end, so the state can't be carried from one window to the next: "
            "run the whole sequence at once, or use a forward module."
        )
    return _windows(module, x, window, state, mask)


def _windows(module: Callable[..., tuple[Any, Any]], x: Tensor, window: int, state: Any, mask: Any) -> Iterator[Chunk]:
    """The chunks one by one (apart, so that arguments are checked at the call)."""
    for start in range(0, x.shape[1], window):
        stop = min(start + window, x.shape[1])
        # Modules without an argument of that name are welcome as long as there is no mask.
        keywords = {} if mask is None else {"mask": mask[:, start:stop]}
        # Cut here, not after the window: the chunk hands out a state that a loss may still use.
        output, state = module(x[:, start:stop], None if state is None else detach(state), **keywords)
        yield Chunk(start, stop, output, state)

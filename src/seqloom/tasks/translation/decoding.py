"""Writing while a network trains: the runtime's beam search over steps that torch makes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from seqloom_runtime.writing import Written, beam_search

from ..networks.writer import Encoded, Writer

__all__ = ["searched"]


def searched(
    network: Writer, read: tuple[Encoded, Any], barred: Sequence[int], *, beams: int, strength: float, longest: int
) -> list[Written]:
    """The best text for each of the examples that `network` has read, without the ids `barred`; as `beam_search`."""
    encoded, state = read
    count = len(encoded.outputs)
    encoded = encoded.repeated(beams)

    def step(last: np.ndarray, state: Any) -> tuple[np.ndarray, Any, np.ndarray | None]:
        scores, state, weights = network.step(torch.from_numpy(last), encoded, state)
        scores[:, list(barred)] = -torch.inf
        return scores.numpy(), state, None if weights is None else weights.numpy()

    return beam_search(
        step,
        _rearranged(state, np.repeat(np.arange(count), beams)),
        count,
        network.output.out_features - 1,
        beams=beams,
        strength=strength,
        longest=longest,
        rearrange=_rearranged,
    )


def _rearranged(state: Any, rows: np.ndarray) -> Any:
    """A decoder's state of the rows (R,)."""
    if isinstance(state, tuple):
        return tuple(inner[:, torch.from_numpy(rows)] for inner in state)
    return state[:, torch.from_numpy(rows)]

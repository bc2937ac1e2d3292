"""Permutation importance over blocks of consecutive windows: how far the error rises where a column says nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .input_groups import InputGroup
from .network import ForecastNetwork

__all__ = ["Blocks", "blocks_of", "permuted_inputs", "rises"]

_FEWEST = 3  # blocks; two could only be swapped


@dataclass(frozen=True, eq=False)
class Blocks:
    """Windows in blocks: origins (B, W) row numbers, W windows of each of B blocks; length: rows that a block spans.

    The windows at one place of all blocks are whole seasons apart where the length is that of a season.
    """

    origins: np.ndarray
    length: int

    @property
    def flat(self) -> np.ndarray:
        """The origins in order: (B · W,)."""
        return self.origins.reshape(-1)

    def donors(self, generator: np.random.Generator, by_window: bool) -> np.ndarray:
        """For each window the number of the one whose values it takes: (B · W,).

        Whole blocks change places, none stays where it is; `by_window` single windows do.
        """
        count, width = self.origins.shape
        if by_window:
            return _cycle(count * width, generator)
        return (_cycle(count, generator)[:, None] * width + np.arange(width)).reshape(-1)


def blocks_of(origins: np.ndarray, ticks: np.ndarray, season: float | None, horizon: int, most: int) -> Blocks | None:
    """Blocks of a season (without one, of a horizon) of consecutive windows, about `most` windows in all, evenly taken.

    origins (N,) ascending rows, ticks (N,) their times in rows. Shorter blocks where there would be fewer than three;
    None where there are fewer than three windows.
    """
    length = max(1, min(round(season or horizon), len(origins) // _FEWEST))
    while length >= 1:
        starts = _starts(origins, ticks, length)
        if len(starts) >= _FEWEST:
            break
        length //= 2
    else:
        return None
    width = max(1, min(length, most // max(_FEWEST, min(len(starts), 5))))
    places = np.unique(np.linspace(0, length - 1, width).round().astype(np.int64))
    keep = max(_FEWEST, min(len(starts), most // len(places)))
    kept = starts[np.unique(np.linspace(0, len(starts) - 1, keep).round().astype(np.int64))]
    return Blocks(origins[kept[:, None] + places], length)


def _starts(origins: np.ndarray, ticks: np.ndarray, length: int) -> np.ndarray:
    """The places (among N) at which a block begins: windows of one series without a gap, in step with the first."""
    follows = np.zeros(len(origins), dtype=bool)
    follows[1:] = (np.diff(origins) == 1) & (np.diff(ticks) == 1)
    run = np.cumsum(~follows)
    phase = (ticks - ticks[0]) % length
    at = np.flatnonzero(phase == 0)
    at = at[at + length <= len(origins)]
    return at[run[at] == run[at + length - 1]]


def _cycle(count: int, generator: np.random.Generator) -> np.ndarray:
    """A permutation of `count` numbers that leaves none in its place."""
    order = generator.permutation(count)
    donors = np.empty(count, dtype=np.int64)
    donors[order] = np.roll(order, 1)
    return donors


def permuted_inputs(
    network: ForecastNetwork, x: Tensor, future: Tensor | None, group: InputGroup, donors: np.ndarray
) -> tuple[Tensor, Tensor | None]:
    """The windows x (N, L, I) and future (N, K, F) with the values of one column from other windows.

    The target takes the shape of another window and keeps its own level, which is no matter of the column's past.
    """
    taken = torch.from_numpy(donors)
    if group.past:
        at = list(group.past)
        x, original = x.clone(), x
        x[:, :, at] = original[taken][:, :, at]
        slot = network.spec.target
        if slot in at:
            level = network.scale(original)[1]
            x[:, :, slot] += level - level[taken]
    if group.ahead and future is not None:
        at = list(group.ahead)
        future, given = future.clone(), future
        future[:, :, at] = given[taken][:, :, at]
    return x, future


def rises(
    network: ForecastNetwork,
    x: Tensor,
    future: Tensor | None,
    error: Callable[[np.ndarray], float],
    groups: Sequence[InputGroup],
    blocks: Blocks,
    permutations: int,
    seed: int,
) -> tuple[float, np.ndarray]:
    """The error of the windows, and how far each permutation of each column raises it: (C, R).

    error: from the network's raw output (N, K) to one number.
    """

    def run(x: Tensor, future: Tensor | None) -> float:
        with torch.no_grad():
            chunks = [
                network(x[at : at + 512], None if future is None else future[at : at + 512])
                for at in range(0, len(x), 512)
            ]
        output = torch.cat(chunks).double().numpy()
        return error(output if network.family is None else output[:, :, 0])  # of a distribution its location

    was_training = network.training
    network.eval()
    try:
        first = run(x, future)
        found = np.zeros((len(groups), permutations))
        for number in range(permutations):
            # Every column by the same permutations, so that columns differ by what they hold alone.
            for place, group in enumerate(groups):
                donors = blocks.donors(np.random.default_rng([seed, number]), group.by_date)
                found[place, number] = run(*permuted_inputs(network, x, future, group, donors)) - first
    finally:
        network.train(was_training)
    return first, found

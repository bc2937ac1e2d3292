"""`Inception1d`: convolutions of several widths side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from seqloom.nn.arguments import NotScriptable, as_node, check_input, generator_of, symbolic, tensor_of
from seqloom.nn.causal_stages import ParallelStage, Stage
from seqloom.nn.causal_stream import CausalStream, carry, check_causal, check_parts, open_stream, stage_of
from seqloom.nn.convolution import Conv1d
from seqloom.nn.pooling import GlobalAverage, GlobalMax
from seqloom.nn.receptive_field import Field
from seqloom.ops.activations import Activation
from seqloom_runtime.errors import SettingError, suggest

__all__ = ["Inception1d"]

_POOLS = {"max": GlobalMax, "average": GlobalAverage}


class Inception1d(NotScriptable, nn.Module):
    """Convolutions with kernels of several widths on the same input, their channels one after the other.

    With `pool` each branch is pooled over time first, which is the text network of Kim, arXiv 1408.5882; the parallel
    kernels are the inception module's, Szegedy et al., arXiv 1409.4842.

    >>> Inception1d(8, 16)(torch.zeros(2, 20, 8)).shape, Inception1d(8, 16, pool="max")(torch.zeros(2, 20, 8)).shape
    (torch.Size([2, 20, 48]), torch.Size([2, 48]))
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        kernel_sizes: Sequence[int] = (3, 5, 7),
        *,
        padding: str = "same",
        pool: str | None = None,
        activation: Activation = "relu",
        seed: int | torch.Generator = 0,
        backend: str = "auto",
    ):
        """Make the branches, `channels` output channels each; raises SettingError for what isn't possible.

        padding: of `Conv1d`; "valid" and "full" only with a pool, as the branches' lengths differ. pool: "max",
        "average" or None.
        """
        super().__init__()
        if pool is not None and pool not in _POOLS:
            raise SettingError(f"pool must be max, average or None, not {pool!r}.{suggest(str(pool), _POOLS)}")
        if not isinstance(kernel_sizes, (list, tuple)) or not kernel_sizes:
            raise SettingError(f"kernel_sizes must be a list of one or more widths, not {kernel_sizes!r}.")
        if pool is None and padding in ("valid", "full") and len(set(kernel_sizes)) > 1:
            raise SettingError(
                f"padding={padding!r} gives each branch another length, so they can't stand side by side: use "
                "padding='same' or 'causal', or pool='max'."
            )
        # One generator for all branches: with one seed each, equal kernels would start with equal weights.
        self.in_channels, generator = in_channels, generator_of(seed)
        self.branches = nn.ModuleList(
            Conv1d(
                in_channels, channels, width, padding=padding, activation=activation, seed=generator, backend=backend
            )
            for width in kernel_sizes
        )
        self.pool = None if pool is None else _POOLS[pool]()

    @property
    def convolutions(self) -> list[Conv1d]:
        """The branches from first to last."""
        return [branch for branch in self.branches if isinstance(branch, Conv1d)]

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, T, C_in) → (B, T, channels·branches), or (B, channels·branches) with a pool; mask: (B, T) bool."""
        if symbolic(x):
            return as_node(self, x, mask)
        x = tensor_of(x, self)
        check_input(type(self).__name__, x, self.in_channels)
        outputs = []
        for branch in self.convolutions:
            y = branch(x, mask)
            if self.pool is not None:
                # The branches' masks differ: a wider kernel has fewer whole windows.
                y = self.pool(y, None if mask is None else branch.output_mask(mask))
            outputs.append(y)
        return torch.cat(outputs, dim=-1)

    def carry(self, x: Tensor, context: tuple[Tensor, ...] | None = None) -> tuple[Tensor, tuple[Tensor, ...]]:
        """`forward` on a chunk of a long sequence, and the branches' contexts for the chunk that follows."""
        check_causal(self)
        parts = check_parts(context, len(self.branches), type(self).__name__)
        pairs = [carry(branch, x, part) for branch, part in zip(self.branches, parts)]
        return torch.cat([y for y, _ in pairs], dim=-1), tuple(after for _, after in pairs)

    def output_mask(self, mask: Tensor) -> Tensor:
        """Which outputs count, (B, outputs) bool, without a pool."""
        return self.convolutions[0].output_mask(mask)

    def field(self) -> Field:
        """What an output sees."""
        if self.pool is not None:
            return Field(math.inf, math.inf)
        whole = Field()
        for branch in self.convolutions:
            # The widest branch decides.
            whole = whole.beside(branch.field())
        return whole

    def output_length(self, steps: int) -> int:
        """How many outputs there are without a pool."""
        return self.convolutions[0].output_length(steps)

    def stage(self, size: int | None, batch: int, backend: str) -> Stage:
        """The branches one step at a time."""
        return ParallelStage([stage_of(branch, size, batch, backend) for branch in self.convolutions], batch)

    def stream(self, batch_size: int = 1, *, backend: str = "auto") -> CausalStream:
        """One step at a time where padding is "causal" and there is no pool; raises SettingError otherwise."""
        return open_stream(self, batch_size, backend=backend)

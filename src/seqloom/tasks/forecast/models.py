"""The forecast models by name, in one place: networks, and the baselines and statistical methods to beat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

from ...diagnostics import BASELINES
from .network import NETWORKS

__all__ = ["MODELS"]


class _Models(Sequence[str]):
    """The names in the tables of networks and baselines; what is registered later is there too."""

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...

    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        return (*NETWORKS, *BASELINES)[index]

    def __len__(self) -> int:
        return len(NETWORKS) + len(BASELINES)

    def __repr__(self) -> str:
        return repr(self[:])


MODELS: Sequence[str] = _Models()
"""What `model=` may name. The constraint, the comparison, saved models and `--help` follow it."""

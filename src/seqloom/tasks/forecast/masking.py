"""Target steps that were not measured: left out of the loss and of every score, while their windows stay."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["known_only", "masked_note", "mean_known"]


def known_only(truth: np.ndarray, *others: np.ndarray) -> tuple[np.ndarray, ...]:
    """`truth` (N, K) and others of its shape at the steps where it is known, (M,) each; all as they are where it is
    known everywhere, so that nothing changes for tables without missing values.

    >>> known_only(np.array([[1.0, np.nan]]), np.array([[2.0, 3.0]]))
    (array([1.]), array([2.]))
    """
    unknown = np.isnan(truth)
    if not unknown.any():
        return (truth, *others)
    return (truth[~unknown], *(np.broadcast_to(other, truth.shape)[~unknown] for other in others))


def masked_note(target: str, measured: np.ndarray, masked: int, steps: int) -> list[str]:
    """One sentence on what is masked, or none; measured: (R,) by row; `masked` of so many `steps` of windows are not
    measured."""
    rows = int((~measured).sum())
    if not masked:
        return []
    which = "1 row has" if rows == 1 else f"{rows:,} rows have"
    return [
        f"{which} no measured {target}: {masked:,} of {steps:,} target steps are masked, which neither "
        "the loss nor a score counts; their windows stay."
    ]


def mean_known(errors: np.ndarray, truth: np.ndarray) -> Any:
    """The mean of `errors` (N, K) over the steps where `truth` is known."""
    return known_only(truth, errors)[1].mean()

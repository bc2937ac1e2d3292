"""Which sequences choose the best epoch: a share drawn by a seed, evenly from groups where there are groups."""

from __future__ import annotations

import numpy as np

from seqloom_runtime.errors import SettingError

from ...training import derive_seed

__all__ = ["hold_out"]


def hold_out(count: int, share: float, seed: int, groups: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Numbers (int64, rising) of the sequences to train on, and of about `share` of them to validate on.

    With `groups` (N,) each gives its share, to within one, and keeps at least one to train on. Raises SettingError
    where no sequence would be left on one side.

    >>> train, valid = hold_out(10, 0.2, seed=0, groups=np.array([0] * 5 + [1] * 5))
    >>> len(train), (valid < 5).sum(), (valid >= 5).sum()
    (8, np.int64(1), np.int64(1))
    """
    everything = np.arange(count)
    if not share:
        return everything, everything[:0]
    wanted = max(1, round(share * count))
    if wanted >= count:
        raise SettingError(
            f"validation_fraction: {share} of {count} sequences leaves none to train on; give more sequences, a "
            "smaller fraction, or 0."
        )
    rng = np.random.Generator(np.random.Philox(key=derive_seed(seed, "validation")))
    order = rng.permutation(count)
    if groups is not None:
        # Stable, so that within a group the order stays the random one.
        order = order[np.argsort(groups[order], kind="stable")]
    # Every count/wanted-th of the sequences, group by group, so that each group gives its share to within one.
    picked = order[((np.arange(wanted) + 0.5) * count / wanted).astype(np.int64)]
    valid = np.zeros(count, dtype=bool)
    valid[picked] = True
    # A class whose only member was drawn would be validated on and never learned: it goes back to training.
    if groups is not None:
        for group in np.unique(groups[valid]):
            members = np.flatnonzero(groups == group)
            if valid[members].all():
                valid[members[0]] = False
    if not valid.any():
        raise SettingError(
            f"validation_fraction: every class has a single sequence, so none of the {count} can be held out; give "
            "more sequences, or validation_fraction=0."
        )
    return everything[~valid], everything[valid]

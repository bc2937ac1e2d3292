"""What a comparison of models of records says beside the usual: how sure the leads on the test records are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ...diagnostics.resampling import auc_draws
from ..comparison import Evaluation
from ..comparison.task import Task

__all__ = ["RecordTask"]

_TOLD = 3


class RecordTask(Task):
    """A comparison of `RecordModel`s, each part a single `Records`."""

    def statements(
        self, valid: Mapping[str, Evaluation], test: Mapping[str, Evaluation], baseline: str, best: str
    ) -> list[str]:
        """The comparison, then the best model's lead in AUROC on test, with an interval from records drawn anew."""
        # Without predictions: rows of one record are no independent examples, as the usual sign test takes them to be.
        bare = [{name: replace(e, predictions={}) for name, e in part.items()} for part in (valid, test)]
        told = super().statements(bare[0], bare[1], baseline, best)
        rivals = [name for name in test if name not in (baseline, best)]
        rivals.sort(key=lambda name: -test[name].scores["auc"])
        return told + [said for name in rivals[:_TOLD] if (said := _lead(test, best, name)) is not None]


def _lead(test: Mapping[str, Evaluation], best: str, rival: str) -> str | None:
    mine, theirs = test[best].predictions, test[rival].predictions
    if best == rival or mine["actual"].shape != theirs["actual"].shape:
        return None
    one, other = (auc_draws(mine["actual"] > 0, model["predicted"], mine["row"]) for model in (mine, theirs))
    known = (one - other)[~np.isnan(one)]
    if not len(known):
        return None
    low, high = np.quantile(known, (0.025, 0.975))
    lead = test[best].scores["auc"] - test[rival].scores["auc"]
    return (
        f"On test the area under the ROC curve of {best} less that of {rival} is {lead:+.4f} (95 % interval "
        f"{low:+.4f} to {high:+.4f}, records drawn anew)."
    )

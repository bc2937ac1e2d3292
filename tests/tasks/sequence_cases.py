"""Small sets of sequences and the estimators that learn them, for the tests of the sequence tasks."""

from __future__ import annotations

from typing import Any

import numpy as np

from seqloom import FrameModel, SequenceClassifier, SequenceRegressor
from seqloom.tasks.networks import names_for

SMALL: dict[str, Any] = {"units": 6, "epochs": 2, "batch_size": 8, "learning_rate": 0.02}
BASELINES_OF: dict[str, tuple[str, ...]] = {
    "classifier": ("majority",),
    "regressor": ("mean", "last"),
    "values": ("mean", "last"),
    "labels": ("majority",),
    "binary": ("mean", "last"),
}
TASKS = tuple(BASELINES_OF)
ALL = [(task, model) for task, baselines in BASELINES_OF.items() for model in (*names_for("sequences"), *baselines)]


def walks(count: int = 40, *, equal: bool = False, channels: int = 2, seed: int = 0, longest: int = 12) -> Any:
    """Random walks: an array (N, T, C), or a list of (T_n, C) of unequal length."""
    rng = np.random.default_rng(seed)
    if equal:
        return rng.normal(size=(count, longest, channels)).cumsum(axis=1)
    lengths = rng.integers(3, longest + 1, count)
    return [rng.normal(size=(length, channels)).cumsum(axis=0) for length in lengths]


def targets(task: str, x: Any) -> Any:
    """What the task wants to know of the walks: where the first channel ends, or stood a step before."""
    ends = np.array([item[-1, 0] for item in x])
    if task == "classifier":
        return np.where(ends > 0, "up", "down")
    if task == "regressor":
        return 3 * ends + 100
    before = [np.concatenate([[0.0], item[:-1, 0]]) for item in x]
    if task == "labels":
        found: list[np.ndarray] = [(row > 0).astype(int) for row in before]
    elif task == "binary":
        found = [np.stack([row > 0, item[:, 1] > 0], axis=1).astype(float) for row, item in zip(before, x)]
    else:
        found = [3 * row + 100 for row in before]
    return np.stack(found) if isinstance(x, np.ndarray) else found


def made(task: str, **parameters: Any) -> Any:
    """An unfitted estimator of the small settings."""
    settings = {**SMALL, **parameters}
    if task == "classifier":
        return SequenceClassifier(**settings)
    if task == "regressor":
        return SequenceRegressor(**settings)
    return FrameModel(kind={"labels": "label", "binary": "binary"}.get(task, "value"), **settings)


def fitted(task: str, model: str = "gru", *, equal: bool = False, **parameters: Any) -> Any:
    """An estimator fitted on the walks."""
    x = walks(equal=equal)
    return made(task, model=model, **parameters).fit(x, targets(task, x))


def answers(estimator: Any, x: Any) -> list[np.ndarray]:
    """The most that an estimator says about each sequence: probabilities where it has them, else predictions."""
    says = estimator.predict
    if hasattr(estimator, "predict_proba") and getattr(estimator, "kind", "label") != "value":
        says = estimator.predict_proba
    return [np.asarray(found) for found in says(x)]


def weight_bits(estimator: Any) -> dict[str, bytes]:
    """The bits of what was learned, by name."""
    model = estimator.model_
    if hasattr(model, "network"):
        return {name: t.numpy().tobytes() for name, t in model.network.state_dict().items()}
    return {"values": model.values.tobytes()}

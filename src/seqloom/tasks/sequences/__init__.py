"""Estimators of numeric sequences: a label or a number for each, or something at every step."""

from __future__ import annotations

from .classifier import SequenceClassifier
from .folder import SEQUENCE_TASKS, sequence_estimator_from
from .frames import FrameModel
from .models import BASELINES
from .regressor import SequenceRegressor

__all__ = [
    "BASELINES",
    "SEQUENCE_TASKS",
    "FrameModel",
    "SequenceClassifier",
    "SequenceRegressor",
    "sequence_estimator_from",
]

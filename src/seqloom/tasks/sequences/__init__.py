"""Estimators of numeric sequences: a label or a number for each, or something at every step."""

from __future__ import annotations

from .classifier import SequenceClassifier
from .frames import FrameModel
from .models import BASELINES
from .pictures import PictureClassifier
from .regressor import SequenceRegressor

__all__ = [
    "BASELINES",
    "FrameModel",
    "PictureClassifier",
    "SequenceClassifier",
    "SequenceRegressor",
]

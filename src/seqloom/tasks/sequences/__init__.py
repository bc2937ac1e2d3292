"""Estimators of numeric sequences: a label or a number for each, or something at every step."""

from __future__ import annotations

from .classifier import SequenceClassifier
from .films import FilmClassifier
from .frames import FrameModel
from .models import BASELINES
from .pictures import PictureClassifier
from .regressor import SequenceRegressor

__all__ = [
    "BASELINES",
    "FilmClassifier",
    "FrameModel",
    "PictureClassifier",
    "SequenceClassifier",
    "SequenceRegressor",
]

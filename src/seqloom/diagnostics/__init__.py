"""Is it better than guessing, and is it fair: metrics, baselines, conformal intervals and leakage checks."""

from __future__ import annotations

from .baselines import (
    BASELINES,
    BaselineKind,
    DampedNaive,
    Drift,
    Mean,
    Naive,
    SeasonalNaive,
    make_baseline,
)
from .classical import ETS, STLETS, Theta, scored_rows
from .conformal import Calibration, apply, calibrate, calibrate_possible, level_name, measure, smallest_count
from .history import Baseline, History
from .metrics import (
    by_step,
    by_time_of_day,
    coverage,
    mae,
    mase,
    mean_width,
    naive_scale,
    quantile_loss,
    rmse,
    score,
    skill,
    smape,
)

__all__ = [
    "BASELINES",
    "ETS",
    "STLETS",
    "Baseline",
    "BaselineKind",
    "Calibration",
    "DampedNaive",
    "Drift",
    "History",
    "Mean",
    "Naive",
    "SeasonalNaive",
    "Theta",
    "apply",
    "by_step",
    "by_time_of_day",
    "calibrate",
    "calibrate_possible",
    "coverage",
    "level_name",
    "mae",
    "make_baseline",
    "mase",
    "mean_width",
    "measure",
    "naive_scale",
    "quantile_loss",
    "rmse",
    "score",
    "scored_rows",
    "skill",
    "smallest_count",
    "smape",
]

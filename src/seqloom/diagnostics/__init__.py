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
from .conformal import (
    apply,
    calibrate,
    calibrate_available,
    dropped_levels,
    level_name,
    measure,
    smallest_count,
)
from .gradients import (
    LagNorms,
    SpectrumTrace,
    decay_rate,
    gradient_by_lag,
    jacobian_by_lag,
    recurrent_spectrum,
)
from .history import Baseline, History
from .leakage import LeakageError, LeakResult, check_fit, check_forecast
from .metrics import (
    by_step,
    by_time_of_day,
    coverage,
    mae,
    mase,
    mase_scale,
    mean_width,
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
    "DampedNaive",
    "Drift",
    "History",
    "LagNorms",
    "LeakResult",
    "LeakageError",
    "Mean",
    "Naive",
    "SeasonalNaive",
    "SpectrumTrace",
    "Theta",
    "apply",
    "by_step",
    "by_time_of_day",
    "calibrate",
    "calibrate_available",
    "check_fit",
    "check_forecast",
    "coverage",
    "decay_rate",
    "dropped_levels",
    "gradient_by_lag",
    "jacobian_by_lag",
    "level_name",
    "mae",
    "make_baseline",
    "mase",
    "mase_scale",
    "mean_width",
    "measure",
    "quantile_loss",
    "recurrent_spectrum",
    "rmse",
    "score",
    "scored_rows",
    "skill",
    "smallest_count",
    "smape",
]

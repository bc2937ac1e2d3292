"""Is it better than guessing, and is it fair: metrics, baselines, conformal intervals and leakage checks."""

from __future__ import annotations

from seqloom_runtime.statistical.baselines import (
    DampedNaive,
    Drift,
    Mean,
    Naive,
    SeasonalNaive,
    SeasonalWeek,
    week_beside,
)
from seqloom_runtime.statistical.fitted_runs import scored_rows
from seqloom_runtime.statistical.intermittent import TSB, Croston
from seqloom_runtime.statistical.levels import dropped_levels, level_name, smallest_count
from seqloom_runtime.statistical.logged import Logged
from seqloom_runtime.statistical.target_history import Baseline, TargetHistory

from .arima import Arima
from .auto_ets import AutoETS
from .auto_theta import AutoTheta
from .baseline_table import BASELINES, BaselineKind, baseline_cost, make_baseline
from .calibration import CalibrationCurve, calibration_curve, fit_platt, fit_temperature, platt, softmax
from .classical import ETS, STLETS, DampedTrend, Theta
from .classification import (
    ClassScores,
    RocCurve,
    accuracy,
    auc,
    balanced_accuracy,
    brier_score,
    class_scores,
    confusion_matrix,
    f_score,
    log_loss,
    roc_curve,
)
from .conformal import apply, calibrate, calibrate_available, measure
from .distributions import crps, interval_score, mean_quantile_loss
from .gradients import (
    LagNorms,
    SpectrumTrace,
    decay_rate,
    gradient_by_lag,
    jacobian_by_lag,
    recurrent_spectrum,
)
from .language import bits, perplexity
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
    rmsse,
    rmsse_scale,
    skill,
    smape,
)
from .mstl import MSTL
from .outcomes import Classes, Forecasts, Numbers, Quantiles
from .paired import sign_test
from .scores import SCORES, Score, lower_is_better, measured, score, score_named

__all__ = [
    "BASELINES",
    "ETS",
    "MSTL",
    "SCORES",
    "STLETS",
    "TSB",
    "Arima",
    "AutoETS",
    "AutoTheta",
    "Baseline",
    "BaselineKind",
    "CalibrationCurve",
    "ClassScores",
    "Classes",
    "Croston",
    "DampedNaive",
    "DampedTrend",
    "Drift",
    "Forecasts",
    "LagNorms",
    "LeakResult",
    "LeakageError",
    "Logged",
    "Mean",
    "Naive",
    "Numbers",
    "Quantiles",
    "RocCurve",
    "Score",
    "SeasonalNaive",
    "SeasonalWeek",
    "SpectrumTrace",
    "TargetHistory",
    "Theta",
    "accuracy",
    "apply",
    "auc",
    "balanced_accuracy",
    "baseline_cost",
    "bits",
    "brier_score",
    "by_step",
    "by_time_of_day",
    "calibrate",
    "calibrate_available",
    "calibration_curve",
    "check_fit",
    "check_forecast",
    "class_scores",
    "confusion_matrix",
    "coverage",
    "crps",
    "decay_rate",
    "dropped_levels",
    "f_score",
    "fit_platt",
    "fit_temperature",
    "gradient_by_lag",
    "interval_score",
    "jacobian_by_lag",
    "level_name",
    "log_loss",
    "lower_is_better",
    "mae",
    "make_baseline",
    "mase",
    "mase_scale",
    "mean_quantile_loss",
    "mean_width",
    "measure",
    "measured",
    "perplexity",
    "platt",
    "quantile_loss",
    "recurrent_spectrum",
    "rmse",
    "rmsse",
    "rmsse_scale",
    "roc_curve",
    "score",
    "score_named",
    "scored_rows",
    "sign_test",
    "skill",
    "smallest_count",
    "smape",
    "softmax",
    "week_beside",
]

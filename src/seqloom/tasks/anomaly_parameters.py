"""The parameters that anomaly detection alone has: entries of the table in `seqloom.tasks.parameters`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from .constraints import LARGEST, WIDTH, Boolean, Numeric, Span
from .parameter import Parameter

__all__ = ["ANOMALIES", "DETECTOR", "DETECTOR_CHANGES"]

# Records have a rate of this name too, of another meaning.
_FALSE_ALARMS = Parameter(
    "false_alarms",
    Numeric(0, 1, open_low=True, open_high=True),
    0.01,
    "Share of normal rows that may be flagged: the threshold is calibrated to it on rows held out",
    "Task",
    source="Laxhammar & Falkman (2010), conformal anomaly detection",
)

ANOMALIES = (
    Parameter(
        "code",
        WIDTH,
        4,
        "Numbers that an autoencoder keeps of a window",
        source="Kingma & Welling (2014): dimension of the latent variable",
    ),
    Parameter(
        "beta",
        Numeric(0, LARGEST),
        1.0,
        "Weight of the KL divergence in the loss of a variational autoencoder",
        "Training",
        source="Higgins et al. (2017), beta-VAE",
    ),
    _FALSE_ALARMS,
    Parameter(
        "online",
        Boolean(),
        False,
        "Score a row by what came before it alone, not by the rows after it too",
        "Task",
    ),
)
"""In the order of the glossary."""

DETECTOR = (
    "model window season online false_alarms code beta units layers dropout input_dropout recurrent_dropout"
    " between_dropout validation_fraction missing max_fill zone time_format resample aggregate duplicates fill holidays"
)
"""The parameters of `AnomalyDetector` but those of training, in the order of its signature."""
DETECTOR_CHANGES: Mapping[str, Any] = MappingProxyType(
    {
        "model": "gru-autoencoder",
        "false_alarms": _FALSE_ALARMS,
        "window": {
            "constraint": Span(optional=True),
            "default": None,
            "help": "Rows that an autoencoder draws again at a time, and that a rolling z-score looks back on",
            "panel": "Task",
            "shown": "one to three seasons",
            "source": "Malhotra et al. (2016), arXiv 1607.00148",
        },
        "season": {"shown": "by frequency"},
        "validation_fraction": {
            "constraint": Numeric(0, 1, open_low=True, open_high=True),
            "default": 0.3,
            "help": "Share of the rows, the last ones, that choose the best epoch and calibrate the threshold",
        },
        "epochs": 20,
        "steps_per_epoch": 100,
        "batch_size": 64,
        "learning_rate": 0.005,
        "schedule": "cosine",
    }
)
"""What of them differs from the table of all estimators."""

"""The parameters that models of irregular records alone have: entries of the table in `seqloom.tasks.parameters`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from .constraints import Numeric, OneOf
from .parameter import Parameter

__all__ = ["GAPS", "RECORDS", "RECORD_MODEL", "RECORD_MODEL_CHANGES"]

GAPS = ("decay", "features", "forward")

RECORDS = (
    Parameter(
        "gaps",
        OneOf(GAPS, optional=True),
        None,
        "What stands for gaps in irregular records: decay (GRU-D), features (the last value, whether it is new, its "
        "age) or forward (the last value alone)",
        shown="decay of gru-d, forward of gru-forward, else features",
        source="Che et al. (2018), Sci. Rep. 8:6085",
    ),
    Parameter(
        "false_alarms",
        Numeric(0, 1, open_low=True, open_high=True),
        0.1,
        "False-alarm rate: share of the validation records without the event that may alarm; it sets the threshold",
        "Task",
        source="1 − specificity by record",
    ),
)
"""In the order of the glossary."""

RECORD_MODEL = (
    "model gaps units layers input_dropout recurrent_dropout between_dropout false_alarms validation_fraction"
)
"""The parameters of `RecordModel` but those of training, in the order of its signature."""
RECORD_MODEL_CHANGES: Mapping[str, Any] = MappingProxyType(
    {
        "model": "gru-d",
        "units": 32,
        "validation_fraction": {"constraint": Numeric(0, 1, open_low=True, open_high=True), "default": 0.2},
        "learning_rate": 0.003,
        "schedule": "cosine",
    }
)
"""What of them differs from the table of all estimators."""

"""Scores of a risk that is told at every step of a record: calibration, alarms before the event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["ALARM_SCORES", "Alarms", "alarm_threshold", "alarms_before"]

ALARM_SCORES: tuple[dict[str, Any], ...] = (
    {
        "name": "calibration_error",
        "heading": "ECE",
        "phrase": "expected calibration error",
        "meaning": "mean distance between predicted probability and observed frequency, over bins of the probability",
        "unit": "share",
        "lower_is_better": True,
        "source": "Naeini, Cooper & Hauskrecht (2015), Obtaining well calibrated probabilities using Bayesian binning",
    },
    {
        "name": "lead_time",
        "heading": "Lead time",
        "phrase": "median lead time",
        "meaning": "median time from a record's first alarm to its event, over the events that an alarm precedes, in "
        "the unit of the records' times",
        "beside": "alarmed",
        "source": "Reyna et al. (2020), Early prediction of sepsis from clinical data",
    },
    {
        "name": "alarmed",
        "heading": "Alarmed",
        "phrase": "sensitivity by record",
        "meaning": "share of the records with an event in which an alarm precedes it",
        "unit": "share",
        "source": "sensitivity, TP / (TP + FN), counted by record",
    },
    {
        "name": "record_false_alarms",
        "heading": "False alarms (records)",
        "phrase": "false-alarm rate by record",
        "meaning": "share of the records without an event that hold an alarm",
        "unit": "share",
        "lower_is_better": True,
        "beside": "alarmed",
        "source": "1 − specificity, FP / (FP + TN), counted by record",
    },
)


@dataclass(frozen=True)
class Alarms:
    """What alarms at a threshold are worth: see `ALARM_SCORES`; None where no record is of the kind."""

    lead_time: float | None
    alarmed: float | None
    record_false_alarms: float | None


def alarm_threshold(risk: np.ndarray, offsets: np.ndarray, onset: np.ndarray, false_alarms: float) -> float | None:
    """The lowest risk to alarm at so that at most a share `false_alarms` of the records without an event alarm.

    risk (rows,), onset (N,) NaN where there is no event. None where every record has one.

    >>> alarm_threshold(np.array([0.1, 0.9, 0.2, 0.3]), np.array([0, 2, 4]), np.array([np.nan, np.nan]), 0.5) > 0.3
    True
    """
    quiet = np.isnan(onset)
    if not quiet.any():
        return None
    highest = np.sort(np.maximum.reduceat(risk, offsets[:-1])[quiet])[::-1]
    may = int(false_alarms * len(highest))
    if may >= len(highest):
        return float(highest[-1])
    return float(np.nextafter(highest[may], np.inf))


def alarms_before(
    risk: np.ndarray, times: np.ndarray, offsets: np.ndarray, onset: np.ndarray, threshold: float
) -> Alarms:
    """What alarms at risk ≥ threshold find: in a record with an event the rows before it count, in others all.

    >>> alarms_before(np.array([0.1, 0.9]), np.array([0.0, 1.0]), np.array([0, 2]), np.array([4.0]), 0.5).lead_time
    3.0
    """
    event = np.repeat(onset, np.diff(offsets))
    alarm = (risk >= threshold) & ~(times >= np.nan_to_num(event, nan=np.inf))
    first = np.minimum.reduceat(np.where(alarm, times, np.inf), offsets[:-1])
    rang, events = np.isfinite(first), ~np.isnan(onset)
    leads = (onset - first)[rang & events]
    return Alarms(
        float(np.median(leads)) if len(leads) else None,
        float(rang[events].mean()) if events.any() else None,
        float(rang[~events].mean()) if (~events).any() else None,
    )

"""What scores rows, from a model folder; what it relies on is checked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..data import Frequency, Standardizer
from ..errors import FormatError, shown
from ..forecast.saved import source_from
from ..saved_fields import array_of, field_of, implied, is_number, refuse_stray, texts_of
from .baselines import BASELINES, RollingZScore, SeasonalResidual
from .detector import READ, AnomalyPredictor
from .network import Autoencoder

__all__ = ["baseline_from", "facts_from", "read"]

_MOST = 10_000_000  # rows of a window or a season: more is damage


def read(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> AnomalyPredictor:
    """The predictor that a model folder describes; raises FormatError where fields and arrays don't fit together."""
    parameters = field_of(header, "parameters", dict)
    name = field_of(parameters, "model", str)
    facts = facts_from(name, header, arrays)
    season = facts.pop("season")
    del facts["calibrated"]
    if name in BASELINES:
        model: Any = baseline_from(name, arrays, len(facts["columns"]), facts["window"], season)
    else:
        model = Autoencoder(header.get("network"), arrays)
        if (model.shape.columns, model.shape.window) != (len(facts["columns"]), facts["window"]):
            raise FormatError("model.json: the network's columns and window are not those beside it.")
    missing = [name for name in READ if name not in parameters]
    if missing:
        raise FormatError(f"model.json: the parameter {missing[0]!r} is missing.")
    reading = {name: tuple(v) if isinstance(v := parameters[name], list) else v for name in READ}
    online = field_of(parameters, "online", bool)
    return AnomalyPredictor(model, reading, online=online, notes=tuple(texts_of(header, "notes")), **facts)


def facts_from(name: str, header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """What a detector of that model had found, beside what scores: by the names of `Fitted`'s fields."""
    own = {"z-score": (), "seasonal-residual": ("profile",)}.get(name, ("network.",))
    refuse_stray(arrays, ["scaler.", "spread", *own])
    columns, ids = tuple(texts_of(header, "columns")), texts_of(header, "ids")
    if not columns or len(set(columns)) < len(columns) or len(set(ids)) < len(ids):
        raise FormatError("model.json: expected different names under 'columns', at least one, and under 'ids'.")
    frequency = Frequency.from_json(header["frequency"])
    window, season = _lengths(header)
    spread = array_of(arrays, "spread", np.float64, 1)
    if spread.shape != (len(columns),) or not (np.isfinite(spread) & (spread > 0)).all():
        raise FormatError("model.safetensors: expected 'spread' with a number above 0 for each column.")
    threshold, calibrated = header["threshold"], field_of(header, "calibrated", int)
    if not is_number(threshold) or threshold < 0 or isinstance(calibrated, bool) or calibrated < 1:
        raise FormatError(
            f"model.json: expected a threshold of at least 0 and at least one row under 'calibrated', found "
            f"{shown(threshold)} and {shown(calibrated)}."
        )
    return {
        "columns": columns,
        "scaler": _scaler(arrays, ids, columns),
        "window": window,
        "season": season,
        "frequency": frequency,
        "zone": implied(header, "zone", frequency.zone),
        "source": source_from(header["source"]),
        "spread": spread,
        "threshold": float(threshold),
        "calibrated": calibrated,
    }


def baseline_from(
    name: str, arrays: Mapping[str, np.ndarray], columns: int, window: int, season: float | None
) -> RollingZScore | SeasonalResidual:
    """The baseline of that name."""
    if name == "z-score":
        return RollingZScore(window)
    profile = array_of(arrays, "profile", np.float64, 2)
    if profile.shape[1] != columns or not np.isfinite(profile).all():
        raise FormatError("model.safetensors: expected finite numbers of each column under 'profile'.")
    if season is None and (len(profile) != 1 or profile.any()):
        raise FormatError("model.safetensors: expected one row of zeros under 'profile', as there is no season.")
    return SeasonalResidual(season, profile)


def _scaler(arrays: Mapping[str, np.ndarray], ids: list[str], columns: tuple[str, ...]) -> Standardizer:
    found = {name.removeprefix("scaler."): array for name, array in arrays.items() if name.startswith("scaler.")}
    scaler = Standardizer.from_arrays(found, ids, columns)
    if scaler.per_series != bool(ids):
        raise FormatError("model.json: the series under 'ids' are not those of the scaler.")
    return scaler


def _lengths(header: Mapping[str, Any]) -> tuple[int, float | None]:
    window, season = field_of(header, "window", int), header["season"]
    if isinstance(window, bool) or not 1 <= window <= _MOST:
        raise FormatError(f"model.json: expected 1 to {_MOST:,} rows under 'window', found {shown(window)}.")
    if season is not None and not (is_number(season) and 1 <= season <= _MOST and math.isfinite(season)):
        raise FormatError(f"model.json: expected 1 to {_MOST:,} rows or null under 'season', found {shown(season)}.")
    return window, None if season is None else float(season)

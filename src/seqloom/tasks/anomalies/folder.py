"""Saving and loading a fitted `AnomalyDetector` as a model folder."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from seqloom_runtime.data import Frequency, Standardizer
from seqloom_runtime.errors import FormatError, shown
from seqloom_runtime.forecast.saved import source_from
from seqloom_runtime.saved_fields import (
    array_of,
    field_of,
    implied,
    is_number,
    refuse_stray,
    same_spec,
    texts_of,
)

from ..memory import weights_of
from ..saved_fields import load_network, write_estimator
from .baselines import RollingZScore, SeasonalResidual
from .learning import Fitted, Model, anomaly_spec
from .network import AnomalySpec, Autoencoder, build_autoencoder

if TYPE_CHECKING:
    from .detector import AnomalyDetector

__all__ = ["read_fitted", "saved_parameters", "write_fitted"]

_MOST = 10_000_000  # rows of a window or a season: more is damage


def write_fitted(detector: AnomalyDetector, path: str | os.PathLike[str]) -> None:
    """Write the fitted detector to the folder `path`."""
    scaler, model = detector.scaler_, detector.model_
    facts = {
        "columns": list(detector.columns_),
        "ids": list(scaler.ids) if scaler.per_series else [],
        "window": detector.window_,
        "season": detector.season_,
        "frequency": detector.frequency_.to_json(),
        "zone": detector.zone_,
        "source": detector.source_,
        "threshold": detector.threshold_,
        "calibrated": detector.calibrated_,
    }
    arrays = {f"scaler.{name}": array for name, array in scaler.to_arrays().items()} | {"spread": detector.spread_}
    if isinstance(model, SeasonalResidual):
        arrays["profile"] = model.profile
    network = (model.spec, model) if isinstance(model, Autoencoder) else None
    write_estimator(detector, path, "anomalies", facts, arrays, network)


def saved_parameters(header: dict[str, Any]) -> dict[str, Any]:
    """The parameters in a model folder's header; there are no older models that lack some."""
    return field_of(header, "parameters", dict)


def read_fitted(detector: AnomalyDetector, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> Fitted:
    """What the fit of a detector had found; raises FormatError where the saved fields and arrays don't fit."""
    own = {"z-score": (), "seasonal-residual": ("profile",)}.get(detector.model, ("network.",))
    refuse_stray(arrays, ["scaler.", "spread", *own])
    columns, ids = tuple(texts_of(header, "columns")), texts_of(header, "ids")
    if not columns or len(set(columns)) < len(columns) or len(set(ids)) < len(ids):
        raise FormatError("model.json: expected different names under 'columns', at least one, and under 'ids'.")
    frequency = Frequency.from_json(header["frequency"])
    scaler = _scaler(arrays, ids, columns)
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
    model: Model
    if detector.model == "z-score":
        model = RollingZScore(window)
    elif detector.model == "seasonal-residual":
        profile = array_of(arrays, "profile", np.float64, 2)
        if profile.shape[1] != len(columns) or not np.isfinite(profile).all():
            raise FormatError("model.safetensors: expected finite numbers of each column under 'profile'.")
        if season is None and (len(profile) != 1 or profile.any()):
            raise FormatError("model.safetensors: expected one row of zeros under 'profile', as there is no season.")
        model = SeasonalResidual(season, profile)
    else:
        spec = AnomalySpec.from_json(header["network"])
        same_spec(spec, anomaly_spec(detector, len(columns), window))
        model = load_network(lambda: build_autoencoder(spec, 0), arrays)
    count = weights_of(model) if isinstance(model, Autoencoder) else model.n_parameters
    return Fitted(
        columns=columns,
        scaler=scaler,
        window=window,
        season=season,
        frequency=frequency,
        zone=implied(header, "zone", frequency.zone),
        source=source_from(header["source"]),
        model=model,
        spread=spread,
        threshold=float(threshold),
        calibrated=calibrated,
        history=None,
        n_parameters=implied(header, "n_parameters", count),
        notes=texts_of(header, "notes"),
    )


def _scaler(arrays: dict[str, np.ndarray], ids: list[str], columns: tuple[str, ...]) -> Standardizer:
    found = {name.removeprefix("scaler."): array for name, array in arrays.items() if name.startswith("scaler.")}
    scaler = Standardizer.from_arrays(found, ids, columns)
    if scaler.per_series != bool(ids):
        raise FormatError("model.json: the series under 'ids' are not those of the scaler.")
    return scaler


def _lengths(header: dict[str, Any]) -> tuple[int, float | None]:
    window, season = field_of(header, "window", int), header["season"]
    if isinstance(window, bool) or not 1 <= window <= _MOST:
        raise FormatError(f"model.json: expected 1 to {_MOST:,} rows under 'window', found {shown(window)}.")
    if season is not None and not (is_number(season) and 1 <= season <= _MOST and math.isfinite(season)):
        raise FormatError(f"model.json: expected 1 to {_MOST:,} rows or null under 'season', found {shown(season)}.")
    return window, None if season is None else float(season)

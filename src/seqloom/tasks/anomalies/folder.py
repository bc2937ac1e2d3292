"""Saving and loading a fitted `AnomalyDetector` as a model folder."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from seqloom_runtime.anomalies.baselines import BASELINES, SeasonalResidual
from seqloom_runtime.anomalies.folder import baseline_from, facts_from
from seqloom_runtime.saved_fields import field_of, implied, same_spec, texts_of

from ..memory import weights_of
from ..saved_fields import load_network, write_estimator
from .learning import Fitted, Model, anomaly_spec
from .network import AnomalySpec, Autoencoder, build_autoencoder

if TYPE_CHECKING:
    from .detector import AnomalyDetector

__all__ = ["read_fitted", "saved_parameters", "write_fitted"]


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
    facts = facts_from(detector.model, header, arrays)
    columns, window = facts["columns"], facts["window"]
    model: Model
    if detector.model in BASELINES:
        model = baseline_from(detector.model, arrays, len(columns), window, facts["season"])
        count = model.n_parameters
    else:
        spec = AnomalySpec.from_json(header["network"])
        same_spec(spec, anomaly_spec(detector, len(columns), window))
        model = load_network(lambda: build_autoencoder(spec, 0), arrays)
        count = weights_of(model)
    return Fitted(
        model=model,
        history=None,
        n_parameters=implied(header, "n_parameters", count),
        notes=texts_of(header, "notes"),
        **facts,
    )

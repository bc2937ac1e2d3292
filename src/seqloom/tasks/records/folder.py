"""Saving and loading a fitted `RecordModel` as a model folder."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from seqloom_runtime.records.folder import facts_from, prevalence_from, scale_from
from seqloom_runtime.saved_fields import field_of, implied, refuse_stray, same_spec, texts_of

from ...training import History
from ..saved_fields import load_network, write_estimator
from ..sequences.models import BaselineModel, NetworkModel, SequenceModel
from ..sequences.network import SequenceNetworkSpec, build_sequence_network
from ..sequences.prepared import Scale
from .learning import Fitted
from .network import BASELINES, record_spec

if TYPE_CHECKING:
    from .model import RecordModel

__all__ = ["read_fitted", "saved_parameters", "write_fitted"]


def write_fitted(model: RecordModel, path: str | os.PathLike[str]) -> None:
    """Write the fitted model to the folder `path`."""
    scale, found, network = model.scale_, model.model_, None
    arrays = {"scale.mean": scale.mean, "scale.std": scale.std}
    if isinstance(found, NetworkModel):
        network = (found.spec, found.network)
    else:
        assert isinstance(found, BaselineModel)
        arrays["baseline.values"] = np.asarray(found.values, dtype=np.float64)
    facts = {
        "columns": list(model.columns_),
        "unit": model.unit_,
        "every_step": model.every_step_,
        "horizon": model.horizon_,
        "label": model.label_,
        "labels": list(model.labels_),
        "threshold": model.threshold_,
        "age": scale.age,
    }
    write_estimator(model, path, "records", facts, arrays, network)


def saved_parameters(header: dict[str, Any]) -> dict[str, Any]:
    """The parameters in a model folder's header; there are no older models that lack some."""
    return field_of(header, "parameters", dict)


def read_fitted(model: RecordModel, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> Fitted:
    """What the fit of a model had found; raises FormatError where the saved fields and arrays don't fit."""
    facts = facts_from(header)
    columns, every_step = facts["columns"], facts["every_step"]
    scale, known = scale_from(header, arrays, len(columns)), {"scale.mean", "scale.std"}
    found: SequenceModel
    if model.model in BASELINES:
        known.add("baseline.values")
        found = prevalence_from(header, arrays, every_step)
    else:
        spec = SequenceNetworkSpec.from_json(header.get("network"))
        same_spec(spec, record_spec(model, len(columns), every_step))
        known.add("network.")
        found = NetworkModel(load_network(lambda: build_sequence_network(spec, 0), arrays), spec, Scale())
    refuse_stray(arrays, known)
    return Fitted(
        found,
        scale,
        **facts,
        history=History.empty(),
        n_parameters=implied(header, "n_parameters", found.n_parameters),
        notes=texts_of(header, "notes"),
    )

"""Saving and loading a fitted forecaster as a model folder."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ...data import Frequency, Panel, WindowSpec
from ...diagnostics import BASELINES, make_baseline
from ...errors import FormatError
from ...training import History
from ..model_folder import write_model
from .features import Features
from .fitting import Learned
from .network import NetworkSpec, build_network
from .windowed import history_of

if TYPE_CHECKING:
    from .forecaster import Forecaster

__all__ = ["forecaster_from", "save_forecaster"]


def save_forecaster(forecaster: Forecaster, path: str | os.PathLike[str]) -> None:
    """Write a fitted forecaster: weights, scaler, intervals, and the last rows that it needs to forecast on from."""
    context, spec = forecaster.context_, forecaster.window_spec_
    assert forecaster.features_.scaler is not None
    arrays: dict[str, np.ndarray] = {f"scaler.{k}": v for k, v in forecaster.features_.scaler.to_arrays().items()}
    arrays |= {
        "context.values": context.values,
        "context.filled": context.filled,
        "context.tick": context.tick,
        "context.offsets": context.offsets,
    }
    body: dict[str, Any] = {
        "parameters": _plain(forecaster.get_params()),
        "features": forecaster.features_.to_json(),
        "windows": {"lookback": spec.lookback, "horizon": spec.horizon, "every": spec.every, "at": spec.at},
        "frequency": forecaster.frequency_.to_json(),
        "zone": forecaster.zone_,
        "source": forecaster.source_,
        "season": forecaster.season_,
        "anchor": forecaster.anchor_,
        "radii": {level: [float(r) for r in radii] for level, radii in forecaster.radii_.items()},
        "choosing_mae": forecaster.choosing_mae_,
        "n_parameters": forecaster.n_parameters_,
        "notes": forecaster.notes_,
        "context": {"columns": list(context.columns), "ids": list(context.ids), "timed": context.time is not None},
    }
    if forecaster.model in BASELINES:
        arrays["context.train"] = forecaster.train_rows_
    else:
        body["network"] = forecaster.learned_.spec.to_json()
        for name, tensor in forecaster.learned_.network.state_dict().items():
            arrays[f"network.{name}"] = tensor.numpy()
    write_model(path, "forecast", body, arrays)


def forecaster_from(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> Forecaster:
    """Rebuild a forecaster from a model folder's header and arrays; raises FormatError where they don't fit together."""
    try:
        return _rebuild(header, arrays)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise FormatError(
            f"model.json: its fields and arrays don't fit together ({type(error).__name__}: {error})."
        ) from error


def _rebuild(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> Forecaster:
    from .forecaster import Forecaster

    forecaster = Forecaster(**header["parameters"])
    forecaster._check_parameters()
    scaler = {name.removeprefix("scaler."): array for name, array in arrays.items() if name.startswith("scaler.")}
    forecaster.features_ = Features.from_json(header["features"], scaler)
    forecaster.window_spec_ = WindowSpec(**header["windows"])
    forecaster.frequency_ = Frequency.from_json(header["frequency"])
    forecaster.zone_, forecaster.season_, forecaster.source_ = header["zone"], header["season"], header["source"]
    forecaster.anchor_, forecaster.choosing_mae_ = header["anchor"], header["choosing_mae"]
    forecaster.n_parameters_, forecaster.notes_ = header["n_parameters"], header["notes"]
    forecaster.radii_ = {level: np.array(radii) for level, radii in header["radii"].items()}
    tick, about = arrays["context.tick"], header["context"]
    forecaster.context_ = Panel(
        values=arrays["context.values"],
        columns=tuple(about["columns"]),
        time=forecaster.frequency_.times(tick) if about["timed"] else None,
        tick=tick,
        frequency=forecaster.frequency_,
        ids=tuple(about["ids"]),
        offsets=arrays["context.offsets"],
        filled=arrays["context.filled"],
        zone=forecaster.zone_,
        quality=None,
    )
    if forecaster.model in BASELINES:
        forecaster.train_rows_ = arrays["context.train"]
        history = history_of(forecaster.context_, forecaster.features_.roles.target, forecaster.train_rows_)
        baseline = make_baseline(forecaster.model, season=forecaster.season_, time_limit=forecaster.time_limit)
        forecaster.baseline_ = baseline.fit(history)
    else:
        spec = NetworkSpec.from_json(header["network"])
        network = build_network(spec, 0).eval()
        weights = {
            name.removeprefix("network."): torch.from_numpy(a)
            for name, a in arrays.items()
            if name.startswith("network.")
        }
        _load_weights(network, weights)
        forecaster.learned_ = Learned(network, spec, forecaster.anchor_, History.empty(), forecaster.choosing_mae_)
    return forecaster


def _load_weights(network: torch.nn.Module, weights: dict[str, torch.Tensor]) -> None:
    own = network.state_dict()
    if set(own) != set(weights):
        odd = sorted(set(own) ^ set(weights))[0]
        raise FormatError(
            f"model.safetensors: the weights don't fit the network that model.json names: {odd!r} is on one side only."
        )
    for name, tensor in own.items():
        if tensor.shape != weights[name].shape or tensor.dtype != weights[name].dtype:
            raise FormatError(
                f"model.safetensors: expected {name!r} of shape {tuple(tensor.shape)} and {tensor.dtype}, found "
                f"{tuple(weights[name].shape)} and {weights[name].dtype}."
            )
    network.load_state_dict(weights)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value

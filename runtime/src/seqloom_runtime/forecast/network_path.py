"""The forecast of one series by a network, which reads its own forecasts past the trained horizon."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..data import Panel
from ..errors import DataError
from ..gather import gather_windows
from ..statistical.baselines import SeasonalNaive
from .bounded import floors_of_series
from .finite import check_readable
from .future_rows import LacksFuture
from .known_rows import history_of, measured_or_carried
from .last_rows import who

if TYPE_CHECKING:
    from .fitted import FittedForecaster

__all__ = ["anchor_ahead", "check_known", "network_path"]


def network_path(
    forecaster: FittedForecaster, panel: Panel, at: int, steps: np.ndarray, name: str
) -> tuple[np.ndarray, np.ndarray | None]:
    """Forecast block by block from row `at`; each block reads the forecasts of those before it. With the quantiles
    (K, J) of the first block where the network forecasts a distribution."""
    features, spec = forecaster.features_, forecaster.window_spec_
    check_readable(features.roles, panel, np.arange(at + 1, len(panel.tick)), name)
    scaled = features.scaled(panel)
    x, future = features.inputs(panel, scaled), features.future(panel, scaled)
    mean, std = (float(moments[at]) for moments in features.target_moments(panel))
    target = measured_or_carried(panel, features.roles.target)
    x[at + 1 :, features.told_of(features.roles.target)] = 0  # a forecast that is read counts as a value
    slot = features.roles.numeric_inputs.index(features.roles.target)
    network = forecaster.network_
    offsets = spec.input_offsets
    floor = floors_of_series(forecaster.floors_, features.roles.wide, [name])[0]
    result, knots, family = np.empty(0), None, network.family
    for origin in range(at, at + int(steps[-1]), spec.horizon):
        rows = origin + spec.steps
        known = None
        if future is not None:
            check_known(forecaster, panel, future, rows, at, name)
            known = future[rows][None]
        window = gather_windows(x, np.array([origin]), int(offsets[0]), len(offsets), spec.every)
        if not np.isfinite(window).all():
            raise LacksFuture(
                f"{who(name)}the columns known in advance ({', '.join(features.roles.future)}), which the model also "
                "reads, must be given for every row up to the last forecast row; fill them."
            )
        with np.errstate(over="ignore", invalid="ignore"):  # what comes of it is checked below
            raw = network(window, known).astype(np.float64)[0]
        anchor = np.broadcast_to(anchor_ahead(forecaster, panel, target, mean, origin), len(spec.steps))
        if family is not None:
            units = (anchor / std, np.full(len(spec.steps), std))
            if knots is None:
                quantiles = family.knots(raw, *units) * std + anchor[:, None]
                knots = np.stack([features.inverse(each) for each in quantiles.T], axis=1)
            raw = family.centre(raw, units[0])
        values = features.inverse(raw * std + anchor)
        values = np.maximum(values, floor)
        target[rows] = values
        with np.errstate(over="ignore"):  # forecasts that read themselves may grow without end, which is refused
            x[rows, slot] = ((features.forward(values) - mean) / std).astype(np.float32)
        if not np.isfinite(x[rows, slot]).all():
            raise DataError(
                f"{who(name)}the forecast grows beyond all numbers {rows[-1] - at:,} rows ahead, as it reads its own "
                "forecasts; ask for fewer rows, or fit with a longer horizon."
            )
        result = np.concatenate([result, values])
    return result[: len(steps)], knots


def check_known(
    forecaster: FittedForecaster, panel: Panel, future: np.ndarray, rows: np.ndarray, at: int, name: str
) -> None:
    """Raise DataError where a column known in advance is missing at one of `rows`, with the first such row."""
    missing = ~np.isfinite(future[rows]).all(axis=1)
    if missing.any():
        row = int(rows[np.flatnonzero(missing)[0]])
        behind = "1 row" if row - at == 1 else f"{row - at} rows"
        when = f"row {panel.tick[row]}" if panel.time is None else str(panel.time[row].astype("M8[s]"))
        raise LacksFuture(
            f"{who(name)}columns known in advance ({', '.join(forecaster.features_.roles.future)}) must be given for "
            f"every forecast row, but are missing {behind} after the last observed target ({when}); add the "
            f"rows up to {int(rows[-1]) - at} after it, with the target left empty, or fit with fill_future='carry', "
            "which carries the last known values forward."
        )


def anchor_ahead(
    forecaster: FittedForecaster, panel: Panel, target: np.ndarray, mean: float, origin: int
) -> np.ndarray | float:
    features = forecaster.features_
    if forecaster.anchor_ == "last":
        return float(features.forward(target[origin]))
    if forecaster.anchor_ == "none":
        return mean
    past = replace(
        panel,
        values=target[:, None],
        filled=np.zeros((len(target), 1), bool),
        columns=(forecaster.features_.roles.target,),
    )
    history = history_of(past, past.columns[0], np.zeros(len(target), dtype=bool))
    naive = SeasonalNaive(forecaster.season_ or 1)
    return features.forward(naive.forecast(history, np.array([origin]), forecaster.window_spec_.steps)[0])

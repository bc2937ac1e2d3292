"""The forecaster: a table of measurements in, a trained and checked forecast out."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Self

import numpy as np

from ...data import Panel, Split, WindowSpec
from ...diagnostics import BASELINES, make_baseline
from ...errors import SettingError
from ...training import FitSettings
from ..estimator import Estimator
from ..parameters import AnyOf, Boolean, Constraint, Numeric, OneOf, Span
from .backtest import Backtest, BacktestPlan, backtest
from .features import Roles
from .fitting import Learned, LossSpec, forecast_with, train_network
from .folder import save_forecaster
from .frames import as_panel, to_frame
from .intervals import calibrate_forecast
from .network import NETWORKS, NetworkSpec
from .predicting import ForecastTable, forecast_ahead
from .windowed import ForecastData, baseline_forecast

__all__ = ["Forecaster"]

_PROBABILITY = Numeric(0, 1, open_high=True)
_STRENGTH = Numeric(0)


class Forecaster(Estimator):
    """Forecast one column of a table from its past, with a network or a naive baseline.

    Parameters
    ----------
    model: linear, dense, rnn, gru or lstm; or a baseline: naive, seasonal, drift, mean, damped, ets, theta, stl-ets.
    lookback, horizon: how far the model sees and how far it forecasts: rows, or durations such as "5d".
    every: read and forecast one row each `every` rows.
    at: "path" forecasts every step up to the horizon, "last" the horizon's row alone.
    anchor: what the network's output is added to: the "last" known value, the value one "seasonal" period before, "none",
        or "auto", which trains with each and keeps what validates best.
    season: length of a season, in rows (not necessarily whole) or as a duration; for the seasonal anchor and baselines.
    calendar: add sine and cosine of time of day, week and year, where the training rows cover the cycle twice.
    missing_flags: add an input that says which values were repaired.
    scaling: "pooled" standardises all series together, "series" each by its own training rows.
    units, layers, bidirectional, activation, input_dropout, recurrent_dropout, between_dropout: the network.
    input_l1, input_l2, recurrent_l1, recurrent_l2, bias_l1, bias_l2: weight penalties by group.
    loss: mae, mse, huber, or quantile (with `quantile`), on standardised values.
    epochs, steps_per_epoch, batch_size, optimizer, learning_rate, weight_decay, clip_norm, clip_value, schedule,
    warmup_steps, patience: the training; see `seqloom.training.FitSettings`.
    split: (train, valid) as fractions or rows in time order; the rest is the test part.
    levels: prediction intervals, in percent.
    missing, max_fill, zone: how the table is read; see `seqloom.data.Panel.from_frame`.
    time_limit: seconds that a classical baseline (ets, theta, stl-ets) may take.
    seed: the same seed gives the same bytes for the same number of threads.

    Attributes after fit
    --------------------
    `features_`, `window_spec_`, `frequency_`, `learned_` (networks) or `baseline_`, `anchor_`, `radii_` (level → (K,)),
    `choosing_mae_` (target's unit), `n_parameters_`, `notes_` (what was decided, in sentences).
    """

    _constraints: ClassVar[dict[str, Constraint]] = {
        "model": OneOf((*NETWORKS, *BASELINES)),
        "lookback": Span(),
        "horizon": Span(),
        "every": Span(),
        "at": OneOf(("path", "last")),
        "anchor": OneOf(("last", "seasonal", "none", "auto")),
        "season": Span(optional=True, fractional=True),
        "calendar": Boolean(),
        "missing_flags": Boolean(),
        "scaling": OneOf(("pooled", "series")),
        "units": Numeric(1, whole=True),
        "layers": Numeric(1, whole=True),
        "bidirectional": Boolean(),
        "input_dropout": _PROBABILITY,
        "recurrent_dropout": _PROBABILITY,
        "between_dropout": _PROBABILITY,
        "input_l1": _STRENGTH,
        "input_l2": _STRENGTH,
        "recurrent_l1": _STRENGTH,
        "recurrent_l2": _STRENGTH,
        "bias_l1": _STRENGTH,
        "bias_l2": _STRENGTH,
        "loss": OneOf(("mae", "mse", "huber", "quantile")),
        "quantile": Numeric(0, 1, open_low=True, open_high=True),
        "epochs": Numeric(1, whole=True),
        "steps_per_epoch": Numeric(1, whole=True, optional=True),
        "batch_size": Numeric(1, whole=True),
        "optimizer": OneOf(("adam", "adamw", "rmsprop", "sgd")),
        "learning_rate": Numeric(0, open_low=True),
        "weight_decay": _STRENGTH,
        "clip_norm": Numeric(0, open_low=True, optional=True),
        "clip_value": Numeric(0, open_low=True, optional=True),
        "schedule": OneOf(("constant", "cosine", "step", "plateau")),
        "warmup_steps": Numeric(0, whole=True),
        "patience": Numeric(1, whole=True, optional=True),
        "levels": AnyOf(Numeric(0, 100, open_low=True, open_high=True), "a list of percentages"),
        "missing": AnyOf(Numeric(), "a list of numbers"),
        "max_fill": Numeric(0, whole=True),
        "time_limit": Numeric(0, open_low=True),
        "seed": Numeric(0, whole=True),
    }

    def __init__(
        self,
        *,
        model: str = "gru",
        lookback: int | str = 48,
        horizon: int | str = 1,
        every: int | str = 1,
        at: str = "path",
        anchor: str = "last",
        season: float | str | None = None,
        calendar: bool = False,
        missing_flags: bool = False,
        scaling: str = "pooled",
        units: int = 32,
        layers: int = 1,
        bidirectional: bool = False,
        activation: str | None = None,
        input_dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        between_dropout: float = 0.0,
        input_l1: float = 0.0,
        input_l2: float = 0.0,
        recurrent_l1: float = 0.0,
        recurrent_l2: float = 0.0,
        bias_l1: float = 0.0,
        bias_l2: float = 0.0,
        loss: str = "mae",
        quantile: float = 0.5,
        epochs: int = 20,
        steps_per_epoch: int | None = None,
        batch_size: int = 128,
        optimizer: str = "adam",
        learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
        clip_norm: float | None = 1.0,
        clip_value: float | None = None,
        schedule: str = "constant",
        warmup_steps: int = 0,
        patience: int | None = None,
        split: Sequence[float] | str = (0.7, 0.15),
        levels: Sequence[float] = (80, 95),
        missing: Sequence[float] = (),
        max_fill: int = 24,
        zone: str | None = None,
        time_limit: float = 30.0,
        seed: int = 0,
    ) -> None:
        self.model = model
        self.lookback = lookback
        self.horizon = horizon
        self.every = every
        self.at = at
        self.anchor = anchor
        self.season = season
        self.calendar = calendar
        self.missing_flags = missing_flags
        self.scaling = scaling
        self.units = units
        self.layers = layers
        self.bidirectional = bidirectional
        self.activation = activation
        self.input_dropout = input_dropout
        self.recurrent_dropout = recurrent_dropout
        self.between_dropout = between_dropout
        self.input_l1 = input_l1
        self.input_l2 = input_l2
        self.recurrent_l1 = recurrent_l1
        self.recurrent_l2 = recurrent_l2
        self.bias_l1 = bias_l1
        self.bias_l2 = bias_l2
        self.loss = loss
        self.quantile = quantile
        self.epochs = epochs
        self.steps_per_epoch = steps_per_epoch
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.clip_norm = clip_norm
        self.clip_value = clip_value
        self.schedule = schedule
        self.warmup_steps = warmup_steps
        self.patience = patience
        self.split = split
        self.levels = levels
        self.missing = missing
        self.max_fill = max_fill
        self.zone = zone
        self.time_limit = time_limit
        self.seed = seed

    def fit(
        self,
        data: Any,
        *,
        target: str,
        time: str | None = None,
        id: str | None = None,
        inputs: Sequence[str] | None = None,
        future: Sequence[str] = (),
        directory: str | os.PathLike[str] | None = None,
        resume: bool = False,
        on_event: Callable[[Any], None] | None = None,
    ) -> Self:
        """Fit on a table: a pandas, polars or arrow frame, a NumPy array (rows, features), or a `Panel`.

        `target` is the column to forecast, `time` and `id` the columns of time and series name; `inputs` are the columns
        that the model reads (all by default, the target always), `future` those whose later values are known in advance.
        With `directory` the training can be interrupted and resumed. Raises DataError and SettingError.
        """
        self._check_parameters()
        panel = as_panel(data, time=time, id=id, zone=self.zone, missing=self.missing, max_fill=self.max_fill)
        self.source_ = {"time": time, "id": id, "frame": _frame_kind(data)}
        prepared = self.prepare(panel, target=target, inputs=inputs, future=future)
        return self.fit_prepared(prepared, directory=directory, resume=resume, on_event=on_event)

    def check(self, panel: Panel) -> None:
        """Raise SettingError where a parameter is out of range or doesn't suit the panel."""
        self._check_parameters()
        self._season(panel)
        for name in ("lookback", "horizon", "every"):
            panel.frequency.rows(getattr(self, name), name)

    def prepare(
        self, panel: Panel, *, target: str, inputs: Sequence[str] | None = None, future: Sequence[str] = ()
    ) -> ForecastData:
        """Windows, split and scaled arrays for this forecaster's settings; may be shared by forecasters that agree on them."""
        self._check_parameters()
        roles = Roles.choose(panel, target, None if inputs is None else tuple(inputs), tuple(future))
        rows = panel.frequency.rows
        every = rows(self.every, "every")
        spec = WindowSpec(rows(self.lookback, "lookback"), rows(self.horizon, "horizon"), every, self.at)
        return ForecastData.prepare(
            panel,
            roles,
            spec,
            Split.make(panel, self.split),
            calendar=self.calendar,
            flags=self.missing_flags,
            per_series=self.scaling == "series",
            season=self._season(panel),
        )

    def fit_prepared(
        self,
        data: ForecastData,
        *,
        directory: str | os.PathLike[str] | None = None,
        resume: bool = False,
        on_event: Callable[[Any], None] | None = None,
    ) -> Self:
        """Fit on data that `prepare` made."""
        self._check_parameters()
        self.source_ = getattr(self, "source_", {"time": None, "id": None, "frame": "numpy"})
        self.features_, self.window_spec_, self.frequency_ = data.features, data.spec, data.panel.frequency
        self.zone_, self.season_ = data.panel.zone, data.season
        self.notes_: list[str] = []
        if self.model in BASELINES:
            self.baseline_ = make_baseline(self.model, season=data.season, time_limit=self.time_limit).fit(data.history)
            self.anchor_, self.n_parameters_ = "none", int(self.baseline_.parameters)
            forecasts = self.forecast_windows(data, data.choose)
            error = np.abs(forecasts - data.truth(data.choose))
            scored = np.isfinite(error).all(axis=1)
            self.choosing_mae_ = float(error[scored].mean()) if scored.any() else float("inf")
            self.notes_ += [f"{self.model}: {self.baseline_.note}"] if self.baseline_.note else []
        else:
            self.learned_ = self._train(data, directory, resume, on_event)
            self.anchor_, self.choosing_mae_ = self.learned_.anchor, self.learned_.choosing_mae
            self.n_parameters_ = sum(p.numel() for p in self.learned_.network.parameters())
        self.radii_, notes = calibrate_forecast(data, lambda origins: self.forecast_windows(data, origins), self.levels)
        self.notes_ += notes
        whole = self.model in BASELINES
        rows = np.arange(len(data.panel.values)) if whole else _last_rows(data.panel, self._context_rows(data))
        self.context_, self.train_rows_ = data.panel.take(rows), data.train_rows[rows]
        return self

    def predict(self, data: Any = None, *, horizon: int | str | None = None) -> Any:
        """Forecast from the end of `data` (by default from the end of the rows that `fit` saw).

        Returns the same kind of frame as came in (pandas, polars or arrow; a dictionary of arrays for NumPy): the id and
        time columns, the forecast under the target's name, and a low and a high column per level. Every series starts from
        its last observed target. A `horizon` past the trained one feeds forecasts back, where that is sound.
        """
        table = self.forecast(data, horizon=horizon)
        return to_frame(table, self, _frame_kind(data) if data is not None else self.source_["frame"])

    def forecast(self, data: Any = None, *, horizon: int | str | None = None) -> ForecastTable:
        """As `predict`, as a `ForecastTable` of NumPy columns with notes."""
        self._check_fitted("features_")
        panel = self.context_ if data is None else self.read(data)
        rows = None if horizon is None else self.frequency_.rows(horizon, "horizon")
        return forecast_ahead(self, panel, rows)

    def read(self, data: Any) -> Panel:
        """New data as a panel on the frequency that `fit` saw; raises DataError where it doesn't fit."""
        self._check_fitted("features_")
        return as_panel(
            data,
            time=self.source_["time"],
            id=self.source_["id"],
            columns=self.features_.roles.columns,
            zone=self.zone_,
            missing=self.missing,
            max_fill=self.max_fill,
            frequency=self.frequency_,
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted model as a folder that `seqloom.load` reads; an existing model folder is replaced whole."""
        self._check_fitted("features_")
        save_forecaster(self, path)

    def cross_validate(
        self,
        data: Any,
        *,
        target: str,
        time: str | None = None,
        id: str | None = None,
        inputs: Sequence[str] | None = None,
        future: Sequence[str] = (),
        n_windows: int = 5,
        step: int | str | None = None,
        refit: bool = True,
        gap: int | str = 0,
        on_event: Callable[[Any], None] | None = None,
    ) -> Backtest:
        """Forecast from `n_windows` cutoffs, `step` rows apart (the horizon by default), the last one horizon before the end.

        Each forecast reads the rows up to its cutoff; training sees rows up to `gap` rows before it, anew for every cutoff
        with `refit`, else only before the first. Returns a `Backtest` with the forecasts beside the naive one.
        """
        self._check_parameters()
        panel = as_panel(data, time=time, id=id, zone=self.zone, missing=self.missing, max_fill=self.max_fill)
        self.source_ = {"time": time, "id": id, "frame": _frame_kind(data)}
        plan = BacktestPlan(target, inputs, tuple(future), n_windows, step, refit, gap)
        return backtest(self, panel, plan, on_event)

    def forecast_windows(self, data: ForecastData, origins: np.ndarray) -> np.ndarray:
        """Forecasts at the given origins (row numbers of `data.panel`): (N, K) float64 in the target's unit."""
        if self.model in BASELINES:
            return baseline_forecast(self.baseline_, data.history, origins, data.spec.steps)
        return forecast_with(self.learned_.network, data, self.anchor_, origins)

    def _train(
        self,
        data: ForecastData,
        directory: str | os.PathLike[str] | None,
        resume: bool,
        on_event: Callable[[Any], None] | None,
    ) -> Learned:
        spec = self._network_spec(data)
        candidates = [self.anchor]
        if self.anchor == "auto":
            candidates = ["last", "none"] + (["seasonal"] if data.season else [])
        results = []
        for anchor in candidates:
            place = (
                directory if directory is None or len(candidates) == 1 else os.path.join(directory, f"anchor-{anchor}")
            )
            results.append(
                train_network(
                    data,
                    spec,
                    anchor,
                    self._loss_spec(),
                    self._fit_settings(data),
                    self.batch_size,
                    directory=place,
                    resume=resume,
                    on_event=on_event,
                )
            )
        best = min(results, key=lambda learned: learned.choosing_mae)
        if len(results) > 1:
            scores = ", ".join(f"{learned.anchor} {learned.choosing_mae:.4g}" for learned in results)
            self.notes_.append(
                f"{self.model}: anchor 'auto' trained {len(results)} networks instead of one and kept {best.anchor!r} "
                f"(validation MAE: {scores})."
            )
        return best

    def _network_spec(self, data: ForecastData) -> NetworkSpec:
        return NetworkSpec(
            self.model,
            data.features.width,
            len(data.spec.input_offsets),
            len(data.spec.steps),
            len(data.features.roles.future),
            self.units,
            self.layers,
            self.bidirectional,
            self.activation,
            self.input_dropout,
            self.recurrent_dropout,
            self.between_dropout,
        )

    def _loss_spec(self) -> LossSpec:
        groups = [f"{group}_{norm}" for group in ("input", "recurrent", "bias") for norm in ("l1", "l2")]
        return LossSpec(self.loss, self.quantile, tuple((g, getattr(self, g)) for g in groups if getattr(self, g)))

    def _fit_settings(self, data: ForecastData) -> FitSettings:
        steps = self.steps_per_epoch or -(-len(data.train) // self.batch_size)
        same = ("epochs", "optimizer", "learning_rate", "weight_decay", "clip_norm", "clip_value", "schedule")
        values = {name: getattr(self, name) for name in (*same, "warmup_steps", "patience", "seed")}
        return FitSettings(**values, steps_per_epoch=steps, monitor="mae")

    def _season(self, panel: Panel) -> float | None:
        needs = self.model in ("seasonal", "stl-ets") or self.anchor == "seasonal"
        if self.season is None:
            if needs:
                raise SettingError(
                    f"season: {'the seasonal anchor' if self.anchor == 'seasonal' else self.model} needs the length of a season, "
                    'in rows or as a duration such as "24h".'
                )
            return None
        if isinstance(self.season, str):
            return float(panel.frequency.rows(self.season, "season"))
        return float(self.season)

    def _context_rows(self, data: ForecastData) -> int:
        return max(data.spec.lookback, int(np.ceil(data.season or 0)) + 1)


def _last_rows(panel: Panel, count: int) -> np.ndarray:
    """Row numbers of the last `count` rows of each series."""
    return np.concatenate([np.arange(max(a, b - count), b) for a, b in zip(panel.offsets[:-1], panel.offsets[1:])])


def _frame_kind(data: Any) -> str:
    module = type(data).__module__.split(".")[0]
    return module if module in ("pandas", "polars", "pyarrow") else "numpy"

"""The forecaster: a table of measurements in, a trained and checked forecast out."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from seqloom_runtime.data import Panel
from seqloom_runtime.errors import SettingError
from seqloom_runtime.forecast.forecast_table import ForecastTable
from seqloom_runtime.forecast.frames import frame_kind, source_of, to_frame
from seqloom_runtime.forecast.predictor import forecast_of, read_rows
from seqloom_runtime.forecast.roles import Inputs, Roles
from seqloom_runtime.forecast.rolling import Marginal

from ...engines import Engine, open_engine
from ..cell_parameters import CellParameters
from ..checkpointing import Checkpointing
from ..comparison import Evaluation
from ..constraints import OneOf, OneOrMore
from ..estimator import Estimator
from ..networks import ACTIVATION_NAMES
from ..parameters import constraints_of
from ..training_parameters import TrainingParameters
from .backtest import Backtest, BacktestPlan, backtest
from .bounded import floored_offsets
from .chosen_lengths import open_lengths, with_lengths
from .chosen_panel import chosen_panel
from .explaining import Explained
from .fitting import check_prepared, learn, marginal_of
from .inferred import only_target, with_time
from .learned_attributes import LearnedAttributes
from .models import MODELS, TOLD, is_network
from .refitting import refit
from .rolling import offsets_of_part
from .scoring import measure_forecasts
from .series_by_engine import spread_by
from .settings import as_read_by, check_settings, check_spans, own_scales, season_rows, window_spec
from .stored_training import about_sample, refuse_stored
from .updating import STEPS, updated
from .windowed import ForecastData

__all__ = ["Forecaster"]


@dataclass(kw_only=True, eq=False, repr=False)
class Forecaster(LearnedAttributes, Explained, CellParameters, TrainingParameters, Estimator):
    """Forecast one column of a table from its past, with a network or a naive baseline.

    Parameters
    ----------
    model: a network: linear, nlinear, dlinear, dense, rnn, gru, lstm, encoder-decoder, conv, conv-gru or tcn; or a
        baseline: naive, seasonal, drift, mean, damped-persistence, ets, damped-trend, theta, stl-ets, arima, auto-ets,
        auto-theta, mstl, of logarithms log-arima, log-auto-ets, log-auto-theta, log-mstl; of counts that are mostly 0
        croston, tsb; or ensemble: the weighted average of the best few of `members`.
    members: the models that an ensemble chooses from, such as ["ets", "theta", "gru"]; "gru@1" has the seed + 1.
        Without any, those of the preset "good" whose work fits the table.
    lookback, horizon: how far the model sees and how far it forecasts: rows, or durations such as "5d". None takes what
        is usual for the frequency of the rows, or less where the table is short, and `notes_` says which.
    every: read and forecast one row each `every` rows.
    at: "path" forecasts every step up to the horizon, "last" the horizon's row alone.
    anchor: what the network's output is added to: the "last" known value, the value one "seasonal" period before,
        the training mean ("none"), or "auto", which trains with each and keeps what validates best.
    normalise: window normalisation: what of the target's level a network reads each window relative to, and what is put
        back at its output: its "last" value, its mean and standard deviation ("standard"), the mean of its last season
        ("seasonal"), or nothing ("none"). None is "last", of several series that each have a scale of their own
        "standard", and nothing with the anchor "none", or where columns are known in advance and that suits a linear
        model better by a tenth than "last".
    transform: "log" or "box-cox" of the target, whose training values must be above 0; the power of Box-Cox is the most
        likely one for the training rows.
    season: length of a season, in rows (not necessarily whole) or as a duration; for the seasonal anchor and baselines.
    calendar: add sine and cosine of time of day, week and year, where the training rows cover the cycle twice.
    holidays: countries or exchanges, such as "DE", "DE-BY,FR" or "NYSE": whether a row is a holiday, or next to one,
        is an input known in advance; business days leave out the holidays on which the table has no row.
    missing_flags: give networks a flag of each input with missing training rows, and the time since its last value.
    scaling: "pooled" standardises all series together, "series" each by its own training rows (a series that the fit
        did not see by the rows given of it); None is "series" where there are several.
    units, layers, activation: the dense and recurrent networks; units=(32, 64) and activation=("tanh", "relu") are
        those of each layer, from the input up, and layers is then their number. bidirectional, reverse (read from its
        end), input_dropout, recurrent_dropout, between_dropout: the recurrent ones; see `seqloom.nn.RecurrentOptions`.
    channels: of each convolution of the conv and conv-gru, of each level of the tcn; None for `units` in three
        convolutions, in two, and in as many levels as it takes to see the whole lookback. kernel_size: their taps; None
        for 5, of the tcn 3. pool_size: of the conv and conv-gru. activation: of the convolutions (relu).
        between_dropout acts between them, in the tcn behind each; the conv-gru's GRU takes what the gru takes.
    cell, attention: of the encoder-decoder, whose decoder reads at each step ahead what is known of it: the cell of
        both (rnn, gru, lstm), and additive attention over the encoder's outputs.
    patch: steps of the window that recurrent networks read as one; None for 1 in windows of up to 48 steps, else about
        an eighth of them, a divisor of the season. pooling: last, mean, max or attention, of the conv.
    linear_skip: a linear path beside the network, from the target's window, the last inputs and what is known ahead.
    input_l1, input_l2, recurrent_l1, recurrent_l2, bias_l1, bias_l2: weight penalties by group.
    loss: mae, mse, huber, quantile (with `quantile`), or quantiles: 15 joint ones that never cross, the median among
        them; on standardised values. distribution: normal, student-t, negative-binomial or tweedie, trained by its
        likelihood in place of the loss. Intervals are made of either, and calibrated like all.
    epochs, steps_per_epoch, batch_size, optimizer, learning_rate, weight_decay, clip_norm, clip_value, schedule,
    warmup_steps, patience, smooth_monitor, average_weights: the training; see `seqloom.training.FitSettings`. Without
        epochs, those that are None of the first are chosen by the number of training windows
        (`seqloom.tasks.forecast.budget.usual_training`).
    solver: "ridge" starts the linear models at the ridge solution, which with the loss mse is the end, and keeps that
        of the `linear_skip` where the rest makes it no better. None is "ridge" where epochs is None too.
    split: (train, valid) as fractions or rows in time order; the rest is the test part.
    levels: prediction intervals, in percent.
    non_negative: hold forecasts and intervals at 0 or above; None does so where the training rows are counts.
    categories: columns of numbers that are codes, read as words, an input each. static: columns of one value within
        each series, inputs that are known in the rows ahead; those that are so by themselves need no naming.
    refit: fit once more on all rows, those that validated and tested too, for the forecasts; intervals stay those that
        were calibrated. `cross_validate` then does so with the rows before each cutoff.
    missing, max_fill, fill, zone, time_format, resample, aggregate, duplicates: how the table is read; see
        `seqloom.data.Panel.from_frame`, whose `season` is the one above.
    fill_future: "carry" forecasts with the last known value where a column known in advance lacks one; None refuses.
    time_limit: units of work, counted and not timed, about a second each, that a statistical method may be.
    seed: the same seed gives the same bytes for the same number of threads.

    Attributes after fit
    --------------------
    `features_`, `window_spec_`, `frequency_`, `zone_`, `season_` (rows), `learned_` (networks), `baseline_` or
    `members_` (an ensemble), `anchor_`, `radii_` (level → (K,) in the target's unit: half an interval's width at the
    end of the validation rows), `intervals_` (which are told what came after it), `choosing_mae_` (target's unit),
    `n_parameters_`, `context_` (the rows that `predict` starts from), `notes_` (what was decided, in sentences).

    >>> import numpy as np
    >>> wave = np.sin(np.arange(200) * np.pi / 6)
    >>> forecaster = Forecaster(model="linear", lookback=12, horizon=3, anchor="none", epochs=60, learning_rate=0.01)
    >>> forecast = forecaster.fit(wave, target="column_0").predict()
    >>> error = forecast["column_0"] - np.sin(np.arange(200, 203) * np.pi / 6)
    >>> forecast["step"].tolist(), bool(np.abs(error).max() < 0.1)
    ([200, 201, 202], True)
    """

    _fitted: ClassVar[str] = "context_"
    _constraints = constraints_of(
        "Forecaster", model=OneOf(MODELS, told=TOLD), activation=OneOrMore(OneOf(ACTIVATION_NAMES, optional=True))
    )

    # The task: what is forecast, how far, from how much.
    model: str = "gru"
    members: Sequence[str] = ()
    lookback: int | str | None = None
    horizon: int | str | None = None
    every: int | str = 1
    at: str = "path"
    anchor: str = "last"
    normalise: str | None = None
    transform: str | None = None
    season: float | str | None = None
    # What a network reads.
    calendar: bool = False
    holidays: str | None = None
    missing_flags: bool = True
    scaling: str | None = None
    # The shape of the network.
    units: int | Sequence[int] = 32
    layers: int = 1
    bidirectional: bool = False
    reverse: bool = False
    activation: str | Sequence[str] | None = None
    input_dropout: float = 0.0
    recurrent_dropout: float = 0.0
    between_dropout: float = 0.0
    channels: Sequence[int] | None = None
    kernel_size: int | None = None
    pool_size: int = 3
    pooling: str = "last"
    patch: int | None = None
    linear_skip: bool = True
    cell: str = "gru"
    attention: bool = False
    # What training makes smaller.
    input_l1: float = 0.0
    input_l2: float = 0.0
    recurrent_l1: float = 0.0
    recurrent_l2: float = 0.0
    bias_l1: float = 0.0
    bias_l2: float = 0.0
    loss: str = "mae"
    quantile: float = 0.5
    distribution: str | None = None
    # How it trains, where it differs from `TrainingParameters`, whose other heirs know no None.
    epochs: int | None = None  # pyright: ignore[reportIncompatibleVariableOverride]
    batch_size: int | None = None  # pyright: ignore[reportIncompatibleVariableOverride]
    learning_rate: float | None = None  # pyright: ignore[reportIncompatibleVariableOverride]
    schedule: str | None = None  # pyright: ignore[reportIncompatibleVariableOverride]
    warmup_steps: int | None = None  # pyright: ignore[reportIncompatibleVariableOverride]
    solver: str | None = None
    # The data, what is held back of it, and limits.
    split: Sequence[float] | str = (0.7, 0.15)
    levels: Sequence[float] = (80, 95)
    refit: bool = False
    non_negative: bool | None = None
    missing: Sequence[float] = ()
    max_fill: int = 24
    zone: str | None = None
    time_format: str | None = None
    resample: str | None = None
    aggregate: str = "mean"
    duplicates: str | None = None
    fill: str = "carry"
    fill_future: str | None = None
    categories: Sequence[str] = ()
    static: Sequence[str] = ()
    time_limit: float = 30.0

    def fit(
        self,
        data: Any,
        *,
        target: str | Sequence[str] | None = None,
        time: str | None = None,
        id: str | Sequence[str] | None = None,
        inputs: Inputs = None,
        future: Sequence[str] = (),
        directory: str | os.PathLike[str] | None = None,
        resume: bool = False,
        on_event: Callable[[Any], None] | None = None,
    ) -> Self:
        """Fit on a table: a pandas, polars or arrow frame, a NumPy array (rows, features), a `Panel`,
        or a `StoredPanel` of `seqloom.data`, whose rows stay on disk.

        `target` is the column to forecast, a list of several, each forecast from its own past, or "*" for every column
        of numbers that is no input and not known in advance; where it is left out, the only column of numbers, and the
        column of times is found too. `time` and `id` name the columns of time and series (`id` may be several: ["shop",
        "article"]); `future` are those whose later values are known in advance. `inputs` are the columns that the model
        reads beside the target, "*" every one of the table; by default those that are known in advance, static, or
        named in `categories`. With `directory` the training can be interrupted and resumed. Raises DataError for a
        table that can't be used, SettingError for settings that don't suit it, TrainingError where a value becomes NaN.
        """
        if self.refit:
            refuse_stored(data, "refit", "fit with refit=False")
        data, time, told = with_time(self, data, time) if target is None else (data, time, [])
        chosen = chosen_panel(self, data, target, time, id, inputs, future)
        panel = chosen.panel
        if (sample := about_sample(panel)) is not None:
            told.append(sample)
        told += [] if target is not None else [only_target(panel, inputs, future)[1]]
        prepared = self.prepare(panel, target=chosen.target, inputs=chosen.inputs, future=chosen.future)
        source = {**source_of(data, time, id), "time_format": panel.time_format}
        self.fit_prepared(prepared, source=source, directory=directory, resume=resume, on_event=on_event)
        decided = () if panel.quality is None else panel.quality.decisions
        self.notes_ = [*told, *(decision.text for decision in decided), *self.notes_]
        return self

    def check_parameters(self) -> None:
        """Raise SettingError where a parameter is out of range, whatever the table is like."""
        self._check_parameters()

    def check(self, panel: Panel) -> None:
        """Raise SettingError where a parameter is out of range or doesn't suit the rows of the panel.

        Raises DataError where no series is nearly as long as a window. What a lookback or horizon of None must suit is
        checked once it is chosen, by `prepare`.
        """
        self._check_parameters()
        check_spans(self, panel)
        if open_lengths(self):
            return
        check_settings(self, panel.frequency)

    def prepare(self, panel: Panel, *, target: str, inputs: Inputs = None, future: Sequence[str] = ()) -> ForecastData:
        """Windows, split and scaled arrays for these settings; may be shared by forecasters that agree on them."""
        self.check(panel)
        roles = Roles.choose(panel, target, inputs, future, self.static, self.categories)
        suited, notes = with_lengths(self, panel, roles)
        suited.check(panel)
        return ForecastData.prepare(
            panel,
            roles,
            window_spec(suited, panel.frequency),
            suited.split,
            chosen=notes,
            calendar=self.calendar,
            holidays=self.holidays,
            flags=self.missing_flags,
            per_series=own_scales(self, panel),
            transform=self.transform,
            season=season_rows(self, panel.frequency),
        )

    def fit_prepared(
        self,
        data: ForecastData,
        *,
        source: Mapping[str, Any] | None = None,
        directory: str | os.PathLike[str] | None = None,
        resume: bool = False,
        on_event: Callable[[Any], None] | None = None,
        fitted: Mapping[str, Forecaster] | None = None,
    ) -> Self:
        """Fit on data that `prepare` made. `source` says what the frame was like, as in `frames.NO_SOURCE`.

        `fitted`: forecasters by name, fitted on the same data, for an ensemble to choose from; it then fits none.
        """
        data = as_read_by(self, data) if is_network(self.model) else data
        check_prepared(self, data)
        self._forget()
        checkpoints = Checkpointing.make(directory, resume, on_event)
        self._take(learn(self, data, checkpoints, source, fitted))
        if self.refit:
            self._take(refit(self, data, checkpoints.below("refit")))
        return self

    def predict(
        self,
        data: Any = None,
        *,
        horizon: int | str | None = None,
        levels: float | Sequence[float] | None = None,
        samples: int | None = None,
        seed: int | None = None,
        engine: str | Engine | None = None,
    ) -> Any:
        """Forecast from the end of `data` (by default from the end of the rows that `fit` saw).

        Returns the same kind of frame as came in (pandas, polars or arrow; a dictionary of arrays for NumPy): the id
        and time columns, the forecast under the target's name, and a low and a high column per level. Every series
        starts from its last observed target. Several targets stand side by side: a column under the name of each, and
        `TARGET_low_80`, `TARGET_high_80` for a level of 80. A `horizon` past the trained one feeds forecasts back,
        where that is sound. A target that has the name of another of these columns is named `forecast`.

        `levels`: intervals of other levels than the fit's, in percent; DataError where one has too few errors.
        `samples`: that many sample paths, drawn from `seed` (by default the forecaster's), in place of forecast and
        intervals: one row per series, sample and step, with a column `sample` from 0 on. With an `engine` ("local",
        "ray" or one of `seqloom.engines`) its workers forecast the series, to the same bits.
        """
        table = self.forecast(data, horizon=horizon, levels=levels, samples=samples, seed=seed, engine=engine)
        return to_frame(table, self, self.source_["frame"] if data is None else frame_kind(data))

    def forecast(
        self,
        data: Any = None,
        *,
        horizon: int | str | None = None,
        levels: float | Sequence[float] | None = None,
        samples: int | None = None,
        seed: int | None = None,
        engine: str | Engine | None = None,
        on_event: Callable[[Any], None] | None = None,
    ) -> ForecastTable:
        """As `predict`, as a `ForecastTable` of NumPy columns with notes."""
        self._check_fitted()
        with spread_by(engine, on_event) as spread:
            return forecast_of(self, data, horizon, levels, samples, seed, spread)

    def read(self, data: Any) -> Panel:
        """New data as a panel on the frequency that `fit` saw; raises DataError where it doesn't fit."""
        self._check_fitted()
        return read_rows(self, data)

    def update(self, data: Any, *, steps: int = STEPS, on_event: Callable[[Any], None] | None = None) -> Self:
        """Go on with new rows, of the form of the training data: those after the last known target are learned from.

        Statistical methods are fitted anew with them; a network takes `steps` optimizer steps from its weights, or of
        fewer rows than its horizon keeps them and reads the rows; an ensemble keeps its weights. Scaling stays;
        intervals are told of the new errors. Known rows may be among them. DataError: none is new, or behind a gap.
        """
        self._check_fitted()
        found = updated(self, self.read(data), steps, on_event)
        self._forget()
        self._take(found)
        return self

    def cross_validate(
        self,
        data: Any,
        *,
        target: str | Sequence[str],
        time: str | None = None,
        id: str | Sequence[str] | None = None,
        inputs: Inputs = None,
        future: Sequence[str] = (),
        n_windows: int = 5,
        step: int | str | None = None,
        refit: bool = True,
        gap: int | str = 0,
        on_event: Callable[[Any], None] | None = None,
        engine: str | Engine | None = None,
    ) -> Backtest:
        """Forecast from `n_windows` cutoffs, `step` rows apart (the horizon by default), and score the forecasts.

        The last cutoff lies one horizon before the last observed target. Each forecast reads the rows up to its cutoff;
        training sees rows up to `gap` rows before it, anew for every cutoff with `refit`, else only before the first.
        Returns a `Backtest` with the forecasts beside the naive one. This forecaster itself is left as it is. With an
        `engine` ("local", "ray" or one of `seqloom.engines`) cutoffs that are trained anew are done by its workers.
        """
        refuse_stored(data, "cross_validate", "read the files into memory, or take some of the series")
        chosen = chosen_panel(self, data, target, time, id, inputs, future)
        self.check(chosen.panel)
        plan = BacktestPlan(chosen.target, chosen.inputs, tuple(chosen.future), n_windows, step, refit, gap)
        if engine is None:
            return backtest(self, chosen.panel, plan, on_event)
        with open_engine(engine) as workers:
            return backtest(self, chosen.panel, plan, on_event, workers)

    def forecast_windows(self, data: ForecastData, origins: np.ndarray) -> np.ndarray:
        """Forecasts at the given origins (row numbers of `data.panel`): (N, K) float64 in the target's unit."""
        self._check_fitted()
        return self._marginal(data).forecast(origins)

    def _marginal(self, data: ForecastData) -> Marginal:
        found = [getattr(self, name) for name in ("learned_", "baseline_", "members_") if hasattr(self, name)]
        data = as_read_by(self, data, self.features_) if hasattr(self, "learned_") else data
        return marginal_of(found[0], data, self.floors_)

    def evaluate(self, data: ForecastData, part: str = "test") -> Evaluation:
        """What the fitted forecaster is worth on the `valid` or `test` windows of data that `prepare` made.

        The scores stand beside the naive forecast of the same windows (`skill`); on test the intervals' coverage and
        width are among the details. Raises NotFittedError before `fit`, SettingError after a `refit`.
        """
        self._check_fitted()
        if self.refit:
            told = "refit: this forecaster has learned the rows that it would be scored on;"
            raise SettingError(f"{told} fit it with refit=False, or score it by cross_validate.")
        forecasts = self.forecast_windows(data, data.part(part))
        marginal = None if self.intervals_ is None else self._marginal(data)
        offsets = offsets_of_part(data, part, forecasts, self.radii_, marginal)
        offsets = floored_offsets(self.floors_, data, data.part(part), forecasts, offsets)
        return measure_forecasts(data, part, forecasts, offsets)

"""Lookback, horizon, split and season that a short table has rows for, where the usual ones are too long for it.

What the caller gives stands. What is not given is usual (`lengths_for`) where the table holds windows of it in every
part; else the horizon is made shorter, so that validation windows are left which choose and rows which calibrate; then
the lookback, to a third of what is left of the training rows, so that twice as many windows as lookback rows train.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from seqloom_runtime.data import Panel, Split, Windows, WindowSpec
from seqloom_runtime.errors import SeqloomError, SettingError
from seqloom_runtime.forecast.known_rows import observed, observed_part
from seqloom_runtime.forecast.roles import Roles
from seqloom_runtime.statistical.fitted_runs import FEWEST_ROWS

from ...diagnostics import BASELINES
from ..networks import BODIES, model_of
from ..networks.convolutional import steps_needed
from .choosing import FEWEST_WINDOWS
from .defaults import Lengths, lengths_for
from .models import candidate_changes, is_network
from .seasons import found_season
from .settings import network_spec

if TYPE_CHECKING:
    from .forecaster import Forecaster

__all__ = ["FEWEST", "USUAL_SPLIT", "Fitting", "Shortened", "fit_lengths"]

FEWEST = 3
"""Rows of the smallest table that can be forecast: two to train on and one to choose by."""

USUAL_SPLIT = "0.7,0.15"
"""Shares of the rows to train and to validate on."""

MOST_LOOKBACK = 336
"""Rows of a lookback that is chosen by a season alone."""

_CLASSICAL = tuple(name for name, kind in BASELINES.items() if kind.statsmodels)


@dataclass(frozen=True)
class Shortened:
    """One parameter that was not given and is not the usual one: its value, and the usual one."""

    name: str
    value: Any
    usual: Any


@dataclass(frozen=True)
class Fitting:
    """What `fit_lengths` found.

    values: lookback, horizon and season (rows; season may be None), and split, each as given where it was given.
    rows: of the longest series. known: rows of all series whose target is known, of several the one with most.
    train_rows: rows of the longest series before the validation part. lost: whether the rows are enough for the usual
    lengths, but windows are lost to gaps and missing values. reads: rows that a pooled network among the models reads
    at least, by model. problem: why no window of one of the parts can be had with what was given, or None. together:
    values that work in its place.
    chooses: whether the split is another for the sake of windows that choose. found_season: the season, where the times
    tell none and the training rows do. shortest: rows of the shortest series, where the lookback is made to fit it.
    read: whether a model among them reads the lookback. choosing: windows that choose, of a series without gaps.
    """

    values: dict[str, Any]
    shortened: tuple[Shortened, ...]
    rows: int
    known: int
    train_rows: int
    lost: bool = False
    reads: dict[str, int] = field(default_factory=dict)
    problem: SeqloomError | None = None
    together: dict[str, Any] = field(default_factory=dict)
    chooses: bool = False
    found_season: int | None = None
    shortest: int = 0
    read: bool = True
    choosing: int = 0


def fit_lengths(
    panel: Panel,
    given: Mapping[str, Any],
    roles: Roles,
    models: Sequence[str],
    *,
    make: Callable[..., Forecaster],
    split: Any = USUAL_SPLIT,
    split_given: bool = False,
) -> Fitting:
    """Lengths for `models` on `panel`; `given` holds the parameters of the forecaster that were given, `every` too.

    `make` makes a forecaster of parameters. `split` is the one to use, which may be replaced by counts of rows where it
    was not given and leaves too few rows.
    Raises SettingError where a given value is no number of rows, or no multiple of `every`.
    """
    models = tuple(dict.fromkeys(candidate_changes(name)["model"] for name in models))
    _check(given, models, make)
    table = observed_part(panel.select(roles.columns), roles.target)
    search = _Search(table, roles, models, dict(given), split, split_given, make)
    values, problem = search.first()
    chooses, together = False, {} if problem is None else search.in_place_of_given()
    if problem is None and not split_given:
        chosen = search.that_chooses(values)
        chooses, values["split"] = chosen != values["split"], chosen
    shortest = 0
    if problem is None and "lookback" not in given:
        fitting = search.for_short_series(values["lookback"])
        shortest, values["lookback"] = (0, fitting) if fitting == values["lookback"] else (search.shortest(), fitting)
    usual = search.usual
    train = search.parts(values["split"])[0]
    values["season"] = given.get("season", _season(usual.season, models, train, given.get("anchor", "last")))
    found = None
    if "season" not in given and usual.season is None and problem is None:
        found = values["season"] = found_season(table, roles.target, Split.make(table, values["split"]).train_end)
    normal = {"lookback": usual.lookback, "horizon": usual.horizon, "split": split}
    changed = [
        Shortened(name, values[name], normal[name])
        for name in ("lookback", "horizon", "split")
        if values[name] != normal[name] and (name not in given if name != "split" else not split_given)
    ]
    return Fitting(
        values,
        tuple(changed),
        search.rows,
        _known_rows(table, roles),
        train,
        search.holds_usual(),
        search.rows_read(),
        problem,
        together,
        chooses,
        found,
        shortest,
        bool(search.networks),
        search.windows_that_choose(values),
    )


def _known_rows(table: Panel, roles: Roles) -> int:
    """Rows with a known target: of several targets, those of the one that has most."""
    known = observed(table, roles.target)
    return int(known.sum() if roles.wide is None else np.bincount(roles.wide.places(table)[known]).max(initial=0))


def _check(given: Mapping[str, Any], models: Sequence[str], make: Callable[..., Forecaster]) -> None:
    """Raise SettingError for a value that no table could have, before any is worked with."""
    for name in ("naive", *models):
        make(**{**given, "model": name}).check_parameters()


def _season(usual: float | None, models: Sequence[str], train: int, anchor: str) -> float | None:
    """The usual season, or None where it is longer than the training rows and nothing that was named needs it."""
    if usual is None or anchor == "seasonal":
        return usual
    kinds = [BASELINES[name] for name in models if name in BASELINES]
    if any(kind.season == "required" for kind in kinds):
        return usual
    # Statistical methods do without it where the rows hold no two; what repeats it takes a few rows more than one.
    need = FEWEST_ROWS + usual if any(kind.name in _CLASSICAL for kind in kinds) else usual
    return usual if need <= train else None


@dataclass
class _Search:
    """Candidates in order of preference, each tried on the table's own windows."""

    table: Panel
    roles: Roles
    models: tuple[str, ...]
    given: dict[str, Any]
    split: Any
    split_given: bool
    make: Callable[..., Forecaster]

    def __post_init__(self) -> None:
        self.every = self._given("every") or 1
        self.at = self.given.get("at", "path")
        usual = lengths_for(self.table.frequency)
        horizon = self._whole(usual.horizon) if self.at == "path" else usual.horizon
        lookback, season = usual.lookback, self.given.get("season")
        season = season if isinstance(season, (int, float)) else 0  # rows; a duration needs times, which tell a season
        if usual.season is None and season:  # two seasons, as rows with times have them
            lookback = max(lookback, min(round(2 * season), MOST_LOOKBACK))
        self.usual = Lengths(self._whole(lookback), horizon, usual.season)
        self.classical = any(name in _CLASSICAL for name in self.models)
        self.networks = [name for name in self.models if is_network(name)]
        self.rows = int(np.diff(self.table.offsets).max(initial=0))
        self.ticks = len(self.table.ticks)

    def shortest(self) -> int:
        """Rows of the shortest series that holds two horizons and more; of shorter ones nothing can be learned."""
        lengths = np.diff(self.table.offsets)
        horizon = self._given("horizon") or self.usual.horizon
        return int(min((length for length in lengths.tolist() if length > 2 * horizon), default=0))

    def for_short_series(self, lookback: int) -> int:
        """A lookback that short series hold too, with a horizon behind it, so that each of several has a forecast."""
        room = self.shortest() - (self._given("horizon") or self.usual.horizon)
        if len(self.table.ids) == 1 or room < 1 or room >= lookback:
            return lookback
        least = max([1, *self.rows_read().values()])
        season = self.given.get("season") or self.usual.season
        rows = round(self.table.frequency.rows(season, "season") if isinstance(season, str) else season or 0)
        if room >= rows > 1:  # whole seasons, so that the same steps of a window are the same weeks
            room -= room % rows
        return max(min(lookback, room), least) // self.every * self.every or lookback

    def _given(self, name: str) -> int | None:
        value = self.given.get(name)
        return None if value is None else self.table.frequency.rows(value, name)

    def first(self) -> tuple[dict[str, Any], SeqloomError | None]:
        """The first candidate that has windows in every part; where none has, the first one and what they lack.

        What is lacking is told of the shortest one, unless the rows are enough or both lengths were given.
        """
        told = self.holds_usual() or {"lookback", "horizon"} <= set(self.given)
        problem, kept = None, {}
        for lookback, horizon, split in self._candidates():
            found = self._problem(lookback, horizon, split)
            values = {
                "lookback": self.given.get("lookback", lookback),
                "horizon": self.given.get("horizon", horizon),
                "split": split,
            }
            if found is None:
                return values, None
            kept = kept or values
            problem = problem if problem is not None and told else found
        return kept, problem

    def that_chooses(self, values: Mapping[str, Any]) -> Any:
        """The split, or counts of rows that leave `FEWEST_WINDOWS` windows to choose by, or as many as there can be.

        The rows to test on stay as many, or as many as a path; at least half of all rows train, a few windows, and as
        many seasons as models need.
        """
        rows, split = self.table.frequency.rows, values["split"]
        lookback, horizon = (rows(values[name], name) for name in ("lookback", "horizon"))
        span = 1 if self.at == "last" else horizon - self.every + 1
        train, valid, test = self.parts(split)
        least = max(self.ticks / 2, lookback + horizon + 3)
        if self.classical and train >= FEWEST_ROWS:  # and the rows that statistical methods take
            least = max(least, FEWEST_ROWS)
        for rows_of in (1, 2) if self.usual.season else ():  # seasons that the rows to train on hold stay in them
            whole = rows_of * round(self.usual.season or 0) + (FEWEST_ROWS if rows_of > 1 else 0)
            least = max(least, whole if whole <= train else 0)
        for windows in range(FEWEST_WINDOWS, 1, -1):
            need = span + windows - 1
            if valid - valid // 3 >= need:
                break
            held = next(count for count in range(need, 2 * need + 1) if count - count // 3 >= need)
            for kept in dict.fromkeys((max(test, span), span)):
                found = (self.ticks - held - kept, held)
                if found[0] >= least and self._problem(lookback, horizon, found) is None:
                    return found
        return split

    def windows_that_choose(self, values: Mapping[str, Any]) -> int:
        """How many windows of a series without gaps lie in the first two thirds of the validation rows."""
        horizon, valid = self.table.frequency.rows(values["horizon"], "horizon"), self.parts(values["split"])[1]
        return max(0, valid - valid // 3 - (0 if self.at == "last" else horizon - self.every))

    def in_place_of_given(self) -> dict[str, Any]:
        """Values that work where as few of the given ones as possible are given up; empty where none do."""
        named = [name for name in ("lookback", "horizon") if name in self.given]
        named += ["split"] if self.split_given else []
        for count in range(1, len(named) + 1):
            for names in combinations(named, count):
                given = {name: value for name, value in self.given.items() if name not in names}
                split, fixed = (USUAL_SPLIT, False) if "split" in names else (self.split, self.split_given)
                search = _Search(self.table, self.roles, self.models, given, split, fixed, self.make)
                values, problem = search._longest(self._given("horizon")) if "horizon" in names else search.first()
                if problem is None:
                    told = ["lookback", "horizon", *(["split"] if values["split"] != self.split else [])]
                    return {name: values[name] for name in told}
        return {}

    def _longest(self, asked: int | None) -> tuple[dict[str, Any], SeqloomError | None]:
        """As `first`, with the longest horizon below the one asked for that a split by counts leaves room for."""
        most = self._whole((self.ticks - self.every) // 3)
        if asked is not None and most < asked and not self.split_given and self.at == "path":
            values, problem = _Search(
                self.table, self.roles, self.models, {**self.given, "horizon": most}, self.split, False, self.make
            ).first()
            if problem is None:
                return values, None
        return self.first()

    def parts(self, split: Any) -> tuple[int, int, int]:
        """Training rows of the series that has most of them, and the distinct rows to validate and to test on."""
        try:
            bounds = Split.make(self.table, split)
        except SettingError:
            return 0, 0, 0
        rows = bounds.part_rows(self.table)
        series = zip(self.table.offsets[:-1], self.table.offsets[1:])
        train = max(int(np.count_nonzero(self.table.tick[a:b] < bounds.train_end)) for a, b in series)
        return train, rows["validation"], rows["test"]

    def holds_usual(self) -> bool:
        """Whether the parts hold the rows of the first candidate, whatever becomes of its windows."""
        lookback, horizon, split = next(self._candidates())
        train, valid, test = self.parts(split)
        span = 1 if self.at == "last" else horizon - self.every + 1
        return lookback - self.every + 1 + horizon <= train and span <= min(valid, test or valid)

    def _problem(self, lookback: int, horizon: int, split: Any) -> SeqloomError | None:
        spec = WindowSpec(lookback, horizon, self.every, self.at)
        try:
            windows = Windows(self.table, spec, target=self.roles.target, inputs=self.roles.inputs)
            windows.split(Split.make(self.table, split))
        except SeqloomError as problem:
            return problem
        return None

    def _candidates(self) -> Iterator[tuple[int, int, Any]]:
        """(lookback, horizon, split), the usual ones first."""
        lookback, horizon = self._given("lookback"), self._given("horizon")
        yield lookback or self.usual.lookback, horizon or self.usual.horizon, self.split
        seen = set()
        for split in (self.split, *self._other_splits(horizon)):
            train, valid, test = self.parts(split)
            if not train:
                continue
            for ahead in [horizon] if horizon else _halves(self._horizon(train, valid, test, lookback), self.every):
                for back in [lookback] if lookback else _halves(self._lookback(train, ahead), self.every):
                    if (back, ahead, split) not in seen:
                        seen.add((back, ahead, split))
                        yield back, ahead, split

    def _other_splits(self, horizon: int | None) -> list[Any]:
        """Counts of rows that leave paths of `horizon` to validate and to test on; of very few rows none to test."""
        if self.split_given:
            return []
        span = 1 if self.at == "last" else (horizon or self.every) - self.every + 1
        found: list[Any] = [
            (self.ticks - 2 * held, held) for held in (span, 2 * span, 3 * span) if self.ticks > max(2 * held, FEWEST)
        ]
        if self.classical and found and found[0][0] < FEWEST_ROWS <= self.ticks - span:
            return [(self.ticks - span, span), *found]  # statistical methods take these rows; none are left to test on
        return found or [(self.ticks - span, span)] if self.ticks > span else []

    def _horizon(self, train: int, valid: int, test: int, lookback: int | None) -> int:
        """The usual horizon where the parts hold it, else the longest that leaves windows before their last third."""
        usual, short = self.usual.horizon, min(valid, test or valid)
        if self.at == "path" and usual > short:
            usual = min(valid - valid // 3 if valid >= 3 else valid, test or valid)
        most = train - (lookback or 1) if lookback else train // 2
        return self._whole(min(usual, most))

    def _lookback(self, train: int, horizon: int) -> int:
        """The usual lookback where as many origins are left, else a third of them, or whole seasons."""
        usual, free = self.usual.lookback, train - horizon + 1
        if 2 * usual <= free:
            return self._whole(usual)
        if not self.networks or free < 1:
            return self.every
        rows, season = free // 3, self.usual.season or free
        if 2 * season <= free:
            rows = max(round(rows // season * season), round(season))
        rows = min(usual, rows)
        least = max(self.rows_read().values(), default=1)
        return self._whole(max(rows, min(least, free - 1)))

    def rows_read(self) -> dict[str, int]:
        """Rows that the input steps of each pooled network among the models take at least."""
        known = {name: value for name, value in self.given.items() if name not in ("lookback", "horizon", "season")}
        spec, found = WindowSpec(self.every, self.every, self.every, self.at), {}
        for name in self.networks:
            if "pool_size" in BODIES[model_of("forecast", name).body].options and name != "tcn":
                body = network_spec(self.make(**{**known, "model": name}), None, spec).body
                found[name] = steps_needed(body, 1) * self.every
        return found

    def _whole(self, rows: int) -> int:
        return max(rows // self.every, 1) * self.every


def _halves(rows: int, every: int) -> list[int]:
    """`rows` and its halves, each a multiple of `every`, down to one of it."""
    found = [rows]
    while found[-1] > every:
        found.append(max(found[-1] // 2 // every, 1) * every)
    return found

"""Lengths that a forecaster was not given: the usual ones or those that fit the table, and sentences that say so."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from seqloom_runtime.data import Panel
from seqloom_runtime.errors import DataError, SeqloomError
from seqloom_runtime.forecast.roles import Roles
from seqloom_runtime.forecast.targets import own_series

from .choosing import FEWEST_WINDOWS
from .shortening import FEWEST, Fitting, fit_lengths

if TYPE_CHECKING:
    from .forecaster import Forecaster

__all__ = ["length_notes", "open_lengths", "rows_text", "with_lengths", "with_values"]

_LENGTHS = ("lookback", "horizon")


def open_lengths(forecaster: Forecaster) -> tuple[str, ...]:
    """Those of lookback and horizon that are None, to be chosen for the table."""
    return tuple(name for name in _LENGTHS if getattr(forecaster, name) is None)


def with_lengths(
    forecaster: Forecaster, panel: Panel, roles: Roles, models: Sequence[str] = (), *, parts: bool = True
) -> tuple[Forecaster, list[str]]:
    """A forecaster whose lengths are all given, and what was chosen in sentences; itself where nothing is open.

    The lengths suit `models`, by default its own. The split is replaced too where it is the usual one and leaves no
    window. parts: whether the table is to be split; a backtest cuts it elsewhere.
    Raises SettingError or DataError where the table holds no window of what was given, with values that work.
    """
    names = open_lengths(forecaster)
    if not names:
        return forecaster, []
    make, parameters = type(forecaster), forecaster.get_params()
    usual = make().split
    split = parameters.pop("split")
    split = split if isinstance(split, str) else tuple(split)
    given = {name: value for name, value in parameters.items() if name not in names}
    fitting = fit_lengths(
        panel,
        given,
        roles,
        models or (forecaster.model, *forecaster.members),
        make=make,
        split=split,
        split_given=split != usual,
    )
    if fitting.problem is not None and (parts or fitting.known < FEWEST):
        raise with_values(fitting)
    values = {name: fitting.values[name] for name in (*_LENGTHS, "split")}
    return make(**{**parameters, **values}), length_notes(fitting, given, panel, _LENGTHS)


def length_notes(fitting: Fitting, given: Collection[str], panel: Panel, names: Sequence[str]) -> list[str]:
    """What was chosen as is usual for rows of this frequency, and what was made to fit the table."""
    # A lookback that nothing reads need not be told.
    told = [change for change in fitting.shortened if change.name != "lookback" or fitting.read]
    shortened = {change.name for change in fitting.shortened}
    values: Mapping[str, Any] = fitting.values
    chosen = [
        f"{name}={values[name]:.6g}"
        for name in names
        if name not in given and name not in shortened and values[name] is not None
    ]
    notes = [f"Not given and chosen for rows of {panel.frequency.label}: {', '.join(chosen)}."] if chosen else []
    if told:
        changes = ", ".join(
            f"{_typed(change.name, change.value)} (instead of {_plain(change.usual)})" for change in told
        )
        table = "the table has" if len(set(own_series(panel))) == 1 else "the longest series has"
        why = f"{table} {rows_text(fitting.rows)}, {fitting.train_rows:,} of them to train on"
        if fitting.shortest and shortened == {"lookback"}:
            why = f"short series of {rows_text(fitting.shortest)} are to be forecast too"
        elif fitting.lost:
            why = "gaps and missing values leave no window of the usual lengths in one of the parts"
        if fitting.chooses:
            count = f"{FEWEST_WINDOWS} windows or more"
            if fitting.choosing < FEWEST_WINDOWS:
                count = f"{fitting.choosing} windows, as many as there can be,"
            what = f"{count} are to choose by"
            why = f"{why}: {what}" if shortened != {"split"} else what
        notes.append(f"Made to fit: {changes}, because {why}.")
    return notes


def with_values(fitting: Fitting) -> SeqloomError:
    """The table's problem with what was given, and values that work together in its place."""
    problem = fitting.problem
    assert problem is not None
    if fitting.known < 2 * FEWEST and not fitting.together:
        return DataError(
            f"The table has {rows_text(fitting.rows)} up to the last known target, {fitting.known} of them with a "
            "target: too few to train on and to choose by, even with the shortest lookback and horizon; give more rows "
            f"without gaps, {FEWEST} or more."
        )
    if not fitting.together:
        return problem
    values = " ".join(_typed(name, value) for name, value in fitting.together.items())
    return type(problem)(f"{str(problem).removesuffix('.')}. These work together: {values}.")


def rows_text(count: int) -> str:
    """A number of rows in words.

    >>> rows_text(1), rows_text(1200)
    ('1 row', '1,200 rows')
    """
    return "1 row" if count == 1 else f"{count:,} rows"


def _typed(name: str, value: Any) -> str:
    """A parameter as it is passed; the command line makes it a flag."""
    text = _plain(value)
    return f"{name}={text if isinstance(value, (int, float)) else repr(text)}"


def _plain(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)

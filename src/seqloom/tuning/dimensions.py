"""What a parameter may be in a search: a range of numbers, or one of several values; and how both are written."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seqloom_runtime.errors import SettingError, shown, suggest

from ..tasks.constraints import AnyOf, Boolean, Constraint, Numeric, OneOrMore, Span
from ..tasks.parameters import ESTIMATORS

__all__ = ["Choice", "Dimension", "Range", "checked_space", "parse_space"]

_NAMES = (
    "model members kind classes split horizon every at season levels quantile distribution loss refit non_negative"
    " missing max_fill zone time_format resample aggregate duplicates fill fill_future categories static time_limit"
    " seed validation_fraction level scored scoring score_last reduction join_spaced max_words min_count calibrate"
    " positive target_scaling epochs"
)
_NUMBER = r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
_OTHERWISE = re.compile(rf"{_NUMBER}\s*(?:-|–|—|\.\.+|to)\s*{_NUMBER}")
_SCORED = frozenset(_NAMES.split())
"""What decides which rows are scored and how, or how long training may take; a search that changed it would compare
unlike things."""


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included; `log`: every factor is as likely as another; `whole` numbers."""

    low: float
    high: float
    log: bool = False
    whole: bool = False

    def to_json(self) -> dict[str, Any]:
        """As run.json and trials.json hold it."""
        return {"low": self.low, "high": self.high, **({"log": True} if self.log else {})}

    def holds(self, value: Any) -> bool:
        """Whether a value is in the range."""
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return number and self.low <= value <= self.high and (not self.whole or float(value).is_integer())

    def ends(self) -> tuple[Any, ...]:
        """The values that must be allowed for all to be."""
        return (self.low, self.high)


@dataclass(frozen=True)
class Choice:
    """One of `values`: texts, numbers, truth values or None."""

    values: tuple[Any, ...]

    def to_json(self) -> list[Any]:
        """As run.json and trials.json hold it."""
        return list(self.values)

    def holds(self, value: Any) -> bool:
        """Whether a value is one of them; 1 is not True."""
        return any(type(value) is type(each) and value == each for each in self.values)

    def ends(self) -> tuple[Any, ...]:
        """The values that must be allowed for all to be."""
        return self.values


Dimension = Range | Choice


def parse_space(text: str) -> dict[str, Any]:
    """A space as a command line writes it: NAME=LOW:HIGH, NAME=LOW:HIGH:log, NAME=A|B|C, separated by commas.

    >>> parse_space("units=16:128:log, pooling=last|mean, layers=1|2")
    {'units': (16, 128, 'log'), 'pooling': ['last', 'mean'], 'layers': [1, 2]}
    """
    space: dict[str, Any] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, equals, value = part.partition("=")
        name, value = name.strip().lstrip("-").replace("-", "_"), value.strip()
        if not equals or not name or not value:
            raise SettingError(
                "space: expected NAME=LOW:HIGH, NAME=LOW:HIGH:log or NAME=A|B|C, separated by commas, got "
                f"{shown(part)}."
            )
        if name in space:
            raise SettingError(f"space: {shown(name)} is named twice; leave one of them out.")
        pieces = [piece.strip() for piece in value.split(":")]
        if len(pieces) == 1:
            space[name] = [_plain(choice.strip()) for choice in value.split("|")]
            continue
        kind = pieces[2:]
        if len(pieces) > 3 or (kind and kind != ["log"]):
            raise SettingError(f"space: expected LOW:HIGH or LOW:HIGH:log for {name}, got {shown(value)}.")
        space[name] = (_plain(pieces[0]), _plain(pieces[1]), *kind)
    return space


def _plain(text: str) -> Any:
    """A number, truth value or None where the text is one, as JSON or Python writes it."""
    known = {"true": True, "false": False, "none": None, "null": None}
    if text.lower() in known:
        return known[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def checked_space(space: Mapping[str, Any], estimator: Any) -> dict[str, Dimension]:
    """The dimensions that a mapping describes: (low, high) or (low, high, "log") is a range, a list are choices.

    Raises SettingError for a parameter that the estimator has not, that no search may change, or whose values it
    refuses.
    """
    kind = type(estimator).__name__
    constraints = {name: entry.constraint for name, entry in ESTIMATORS.get(kind, {}).items()}
    constraints = {**constraints, **estimator._constraints}
    found: dict[str, Dimension] = {}
    for name, value in space.items():
        if name not in constraints:
            others = ", ".join(each for each in constraints if each not in _SCORED)
            raise SettingError(
                f"space: no parameter is called {shown(name)}.{suggest(name, constraints)} Those that can be searched "
                f"are {others}."
            )
        if name in _SCORED:
            raise SettingError(
                f"space: {name} decides what is scored or how long training may take, so that trials could not be "
                "compared; give it one value, outside the space."
            )
        found[name] = _dimension(name, value, constraints[name])
    if not found:
        raise SettingError("space: expected at least one parameter with the values that it may have, got none.")
    return found


def _dimension(name: str, value: Any, constraint: Constraint) -> Dimension:
    member = constraint.member if isinstance(constraint, OneOrMore) else constraint
    whole = isinstance(member, Span) or (isinstance(member, Numeric) and member.whole)
    if isinstance(value, (Range, Choice)):
        found = value
    elif isinstance(value, tuple):
        found = _range(name, value, member, whole)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        found = _choice(name, value, member)
    else:
        raise SettingError(
            f"space: expected (low, high), (low, high, 'log') or a list of values for {name}, got {shown(value)}."
        )
    for end in found.ends():
        if not constraint.allows(end):
            _refuse_dashes(name, end)
            raise SettingError(f"space: {name}: expected {constraint.words_for(end)}, got {shown(end)}.")
    return found


def _refuse_dashes(name: str, text: Any, kind: str = "") -> None:
    """Raise SettingError, with what to type, where `text` is a range that is written in another way, as 8-32."""
    ends = _OTHERWISE.fullmatch(text) if isinstance(text, str) else None
    if ends is not None:
        low, high = sorted((ends[1], ends[2]), key=float)
        raise SettingError(
            f"space: a range is written LOW:HIGH, so type {name}={low}:{high}{kind}; got {name}={text}{kind}."
        )


def _range(name: str, value: tuple[Any, ...], member: Constraint, whole: bool) -> Range:
    if not isinstance(member, (Numeric, Span)):
        raise SettingError(f"space: {name} is no number: expected a list of values, {member.words}; got a range.")
    numbers, kind = value[:2], value[2:]
    _refuse_dashes(name, *value[:1], kind=":log" if value[1:] == ("log",) else "")
    sound = len(numbers) == 2 and all(isinstance(n, (int, float)) and not isinstance(n, bool) for n in numbers)
    if not sound or kind not in ((), ("log",)) or not all(map(math.isfinite, numbers)) or numbers[0] >= numbers[1]:
        raise SettingError(
            f"space: expected two numbers for {name}, the lower one first, and 'log' or nothing behind them, got "
            f"{':'.join(map(str, value))}."
        )
    if kind and numbers[0] <= 0:
        raise SettingError(f"space: {name}: a logarithmic range begins above 0, got {shown(numbers[0])}.")
    if whole and not all(float(n).is_integer() for n in numbers):
        raise SettingError(f"space: {name}: expected whole numbers, got {':'.join(map(str, numbers))}.")
    low, high = (int(n) if whole else float(n) for n in numbers)
    return Range(low, high, bool(kind), whole)


def _choice(name: str, values: Sequence[Any], member: Constraint) -> Choice:
    if not values:
        raise SettingError(f"space: expected at least one value for {name}, got none.")
    if isinstance(member, AnyOf) or not all(v is None or isinstance(v, (bool, int, float, str)) for v in values):
        raise SettingError(f"space: {name}: a search takes numbers, texts, truth values and None, not lists.")
    if isinstance(member, Boolean):
        values = [bool(v) if v in (0, 1) and v is not None else v for v in values]
    if len({(type(v), v) for v in values}) < len(values):
        raise SettingError(f"space: {name}: a value is named twice.")
    return Choice(tuple(values))

"""Constraints as data: each checks a value, says what it allows in words, and lists values that it refuses.

The table of parameters (parameters.py) is made of them; error messages and the tests' invalid values come from here.
"""

from __future__ import annotations

import math
import operator
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any

from seqloom_runtime.errors import SettingError, shown, suggest
from seqloom_runtime.limits import LARGEST

__all__ = [
    "COUNT",
    "DEPTH",
    "MOST_ROWS",
    "TAPS",
    "WIDTH",
    "AnyOf",
    "Anything",
    "Boolean",
    "ClassWeights",
    "Constraint",
    "Labels",
    "Numeric",
    "OneOf",
    "OneOrMore",
    "Span",
    "SplitSizes",
    "Text",
    "check_parameters",
]


MOST_ROWS = 10**9
_TECHNICAL = 1000


class Constraint(ABC):
    """What a parameter may be. `words` completes the sentence "expected …"."""

    optional: bool = False

    @property
    @abstractmethod
    def words(self) -> str:
        """What is allowed, in words."""

    def words_for(self, value: Any) -> str:
        """What is allowed, to somebody who gave `value`."""
        return self.words

    @abstractmethod
    def allows(self, value: Any) -> bool:
        """Whether `value` may stand."""

    @abstractmethod
    def invalid(self) -> Sequence[Any]:
        """Values that `allows` refuses, for tests."""


@dataclass(frozen=True)
class Numeric(Constraint):
    """A finite number from `low` to `high`; `whole` asks for an integer, `open_low`/`open_high` exclude the bound."""

    low: float = -math.inf
    high: float = math.inf
    whole: bool = False
    open_low: bool = False
    open_high: bool = False
    optional: bool = False

    @property
    def words(self) -> str:
        kind = "a whole number" if self.whole else "a number"
        bounds = []
        if self.low > -math.inf:
            bounds.append(f"{'above' if self.open_low else 'of at least'} {_figure(self.low)}")
        if self.high < math.inf:
            bounds.append(f"{'below' if self.open_high else 'of at most'} {_figure(self.high)}")
        return f"{kind} {' and '.join(bounds)}".strip() + (" or None" if self.optional else "")

    def words_for(self, value: Any) -> str:
        """The bounds; one that is only there to stop what was never meant is told to those alone who passed it."""
        beyond = isinstance(value, Real) and operator.gt(value, self.high)
        return self.words if self.high < _TECHNICAL or beyond else replace(self, high=math.inf).words

    def allows(self, value: Any) -> bool:
        if value is None:
            return self.optional
        if not _is_number(value, whole=self.whole) or value < self.low or value > self.high:
            return False
        return not ((self.open_low and value == self.low) or (self.open_high and value == self.high))

    def invalid(self) -> Sequence[Any]:
        values: list[Any] = ["many", math.nan, True]
        if not self.optional:
            values.append(None)
        if self.low > -math.inf:
            values.append(self.low if self.open_low else self.low - 1)
        if self.high < math.inf:
            values.append(self.high if self.open_high else self.high + max(1, abs(self.high)))
        if self.whole:
            values.append(1.5)
        return values


@dataclass(frozen=True)
class OneOf(Constraint):
    """One of a few names. told: what to say to somebody who gave a name that is none of them."""

    names: Sequence[str]
    optional: bool = False
    told: tuple[tuple[str, str], ...] = ()

    @property
    def words(self) -> str:
        return "one of " + ", ".join(self.names) + (" or None" if self.optional else "")

    def allows(self, value: Any) -> bool:
        return (value is None and self.optional) or (isinstance(value, str) and value in self.names)

    def invalid(self) -> Sequence[Any]:
        return ["no-such-name", 3] + ([] if self.optional else [None])


@dataclass(frozen=True)
class Anything(Constraint):
    """What only the data can refuse."""

    @property
    def words(self) -> str:
        return "any value"

    def allows(self, value: Any) -> bool:
        return True

    def invalid(self) -> Sequence[Any]:
        return []


@dataclass(frozen=True)
class Boolean(Constraint):
    """True or False, or where `optional` None."""

    optional: bool = False

    @property
    def words(self) -> str:
        return "True, False or None" if self.optional else "True or False"

    def allows(self, value: Any) -> bool:
        return isinstance(value, bool) or (self.optional and value is None)

    def invalid(self) -> Sequence[Any]:
        return [*([] if self.optional else [None]), 1, "yes"]


@dataclass(frozen=True)
class Span(Constraint):
    """A length of time: a number of rows, or a duration such as "24h" that the data's frequency turns into rows.

    `fractional` allows a number of rows that is not whole, but not one below 1. More than `MOST_ROWS` no table holds.
    """

    optional: bool = False
    fractional: bool = False

    def words_for(self, value: Any) -> str:
        """The bound that no table reaches is told to those alone who passed it."""
        beyond = isinstance(value, Real) and operator.gt(value, MOST_ROWS)
        return self.words.replace(" of rows", f" of rows up to {MOST_ROWS:,}", 1) if beyond else self.words

    @property
    def words(self) -> str:
        kind = "a number of rows of at least 1" if self.fractional else "a positive whole number of rows"
        return f'{kind}, or a duration such as "24h"' + (" or None" if self.optional else "")

    def allows(self, value: Any) -> bool:
        if value is None:
            return self.optional
        if isinstance(value, str):
            return bool(value.strip())
        return _is_number(value, whole=not self.fractional) and 1 <= value <= MOST_ROWS

    def invalid(self) -> Sequence[Any]:
        values: list[Any] = [0, -3, True, math.inf, "", MOST_ROWS + 1, 0.5 if self.fractional else 2.5]
        return values if self.optional else [*values, None]


@dataclass(frozen=True)
class Text(Constraint):
    """A text that is not blank."""

    noun: str = "a text"
    optional: bool = False

    @property
    def words(self) -> str:
        return self.noun + (" or None" if self.optional else "")

    def allows(self, value: Any) -> bool:
        return (value is None and self.optional) or (isinstance(value, str) and bool(value.strip()))

    def invalid(self) -> Sequence[Any]:
        return [3, "", b"text"] + ([] if self.optional else [None])


@dataclass(frozen=True)
class SplitSizes(Constraint):
    """Two positive numbers, training and validation, as a pair or as a text; `Split.make` says what they may be."""

    @property
    def words(self) -> str:
        return "fractions such as (0.7, 0.15) or row counts such as '26000,13000', for training and validation"

    def allows(self, value: Any) -> bool:
        if isinstance(value, str):
            return bool(value.strip())
        return isinstance(value, (list, tuple)) and len(value) == 2 and all(_is_number(v) and v > 0 for v in value)

    def invalid(self) -> Sequence[Any]:
        return [None, 0.7, "", (0.7,), (0.7, 0.15, 0.15), (0.7, "0.15"), (0.7, 0), (math.nan, 0.1)]


@dataclass(frozen=True)
class AnyOf(Constraint):
    """A sequence of `least` to `most` members, each of which satisfies `member`."""

    member: Constraint
    noun: str = "a list"
    least: int = 0
    most: float = 1000
    optional: bool = False

    @property
    def words(self) -> str:
        return f"{self.noun}, each {self.member.words}" + (" or None" if self.optional else "")

    def allows(self, value: Any) -> bool:
        if value is None:
            return self.optional
        enough = isinstance(value, (list, tuple)) and self.least <= len(value) <= self.most
        return enough and all(self.member.allows(item) for item in value)

    def invalid(self) -> Sequence[Any]:
        values: list[Any] = [5, *([bad] for bad in self.member.invalid()), *([[]] if self.least else [])]
        return values if self.optional else [*values, None]


@dataclass(frozen=True)
class OneOrMore(Constraint):
    """What `member` allows, for all layers alike, or a sequence of it, one for each layer."""

    member: Constraint
    most: float = 1000

    @property
    def words(self) -> str:
        return f"{self.member.words}, or a list of them, one for each layer"

    def words_for(self, value: Any) -> str:
        """The bounds that the first refused member passed."""
        bad = next((item for item in value if not self.member.allows(item)), None) if _listed(value) else value
        return f"{self.member.words_for(bad)}, or a list of them, one for each layer"

    def allows(self, value: Any) -> bool:
        if not _listed(value):
            return self.member.allows(value)
        return 1 <= len(value) <= self.most and all(item is not None and self.member.allows(item) for item in value)

    def invalid(self) -> Sequence[Any]:
        return [*self.member.invalid(), [], [None], *([bad] for bad in self.member.invalid())]


@dataclass(frozen=True)
class ClassWeights(Constraint):
    """None, "balanced", or a mapping from labels to weights above 0."""

    @property
    def words(self) -> str:
        return "None, 'balanced', or weights above 0 by label, such as {'ham': 1, 'spam': 5}"

    def allows(self, value: Any) -> bool:
        if isinstance(value, Mapping):
            return bool(value) and all(_is_number(weight) and 0 < weight <= LARGEST for weight in value.values())
        return value is None or value == "balanced"

    def invalid(self) -> Sequence[Any]:
        return ["even", 2.0, [1, 2], {}, {"a": 0}, {"a": 1e300}, {"a": "heavy"}, {"a": math.nan}]


@dataclass(frozen=True)
class Labels(Constraint):
    """At least two different labels, all texts or all whole numbers; or None."""

    @property
    def words(self) -> str:
        return "at least two different labels, all texts or all whole numbers, or None"

    def allows(self, value: Any) -> bool:
        if value is None:
            return True
        if isinstance(value, str) or not hasattr(value, "__len__") or not hasattr(value, "__iter__"):
            return False
        labels = list(value)
        alike = all(isinstance(label, str) for label in labels) or all(_is_number(n, whole=True) for n in labels)
        return len(labels) >= 2 and alike and len(set(labels)) == len(labels)

    def invalid(self) -> Sequence[Any]:
        return ["ab", 3, [], ["a"], ["a", "a"], ["a", 1], [0.5, 1.5], [True, False]]


WIDTH = Numeric(1, 1 << 20, whole=True)
"""Units, channels, numbers of an embedding: weights grow with their square, and memory ends far below the bound."""

DEPTH = Numeric(1, 1000, whole=True)
"""Layers, each of which is a module."""

TAPS = Numeric(1, 1 << 20, whole=True)
"""Steps that a convolution or a pool takes together."""

COUNT = Numeric(1, MOST_ROWS, whole=True)
"""Words, tokens, examples."""


def _figure(bound: float) -> str:
    """A bound in words: whole numbers in full, with commas between thousands."""
    return f"{bound:,.0f}" if 1000 <= abs(bound) < 10**15 and bound == int(bound) else f"{bound:g}"


def _listed(value: Any) -> bool:
    return isinstance(value, (list, tuple))


def _is_number(value: Any, *, whole: bool = False) -> bool:
    """Whether `value` is a finite real number (not a bool) that a float64 can hold."""
    if isinstance(value, bool) or not isinstance(value, Integral if whole else Real):
        return False
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def check_parameters(values: Mapping[str, Any], constraints: Mapping[str, Constraint]) -> None:
    """Raise SettingError for the first value that its constraint refuses, naming it, the value and what is allowed.

    >>> check_parameters({"epochs": 0}, {"epochs": Numeric(low=1, whole=True)})
    Traceback (most recent call last):
    ...
    seqloom_runtime.errors.SettingError: epochs: expected a whole number of at least 1, got 0.
    """
    for name, constraint in constraints.items():
        value = values[name]
        if not constraint.allows(value):
            raise SettingError(
                f"{name}: expected {constraint.words_for(value)}, got {shown(value)}.{_near(value, constraint)}"
            )


def _near(value: Any, constraint: Constraint) -> str:
    """The name that a refused one is like, as a sentence."""
    if isinstance(constraint, OneOrMore):
        bad = [item for item in value if not constraint.member.allows(item)] if _listed(value) else [value]
        value, constraint = bad[0] if bad else None, constraint.member
    if not isinstance(constraint, OneOf) or not isinstance(value, str):
        return ""
    told = dict(constraint.told).get(value)
    return suggest(value, constraint.names) if told is None else f" {told}"

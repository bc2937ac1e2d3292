"""Every constraint accepts what it says and refuses its own invalid values; every parameter is constrained."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from seqloom import Forecaster, tasks
from seqloom.errors import SettingError
from seqloom.tasks.constraints import (
    AnyOf,
    Boolean,
    Constraint,
    Numeric,
    OneOf,
    OneOrMore,
    Span,
    SplitSizes,
    Text,
    check_parameters,
)
from seqloom.tasks.networks.pooling import POOLINGS
from seqloom.tasks.parameters import ESTIMATORS, PARAMETERS
from seqloom.training.settings import OPTIMIZERS, SCHEDULES
from seqloom_runtime.data.text.matrices import MODES


@pytest.mark.parametrize(
    ("constraint", "good", "words"),
    [
        (Numeric(1, whole=True), [1, 7, np.int64(3)], "a whole number of at least 1"),
        (Numeric(0, 1, open_high=True), [0, 0.5, np.float32(0.25)], "a number of at least 0 and below 1"),
        (Numeric(0, open_low=True, optional=True), [None, 1e-9], "a number above 0 or None"),
        (OneOf(("a", "b")), ["a"], "one of a, b"),
        (Boolean(), [True, False], "True or False"),
        (Span(), [1, "24h"], 'a positive whole number of rows, or a duration such as "24h"'),
        (
            Span(optional=True, fractional=True),
            [None, 52.18, "7d"],
            'a number of rows of at least 1, or a duration such as "24h" or None',
        ),
        (Text("a name", optional=True), [None, "x"], "a name or None"),
        (
            SplitSizes(),
            ["0.7,0.15", (0.7, 0.15), [np.int64(70), 15]],
            "fractions such as (0.7, 0.15) or row counts such as '26000,13000', for training and validation",
        ),
        (AnyOf(Numeric(0), "a list of numbers"), [[], (1, 2.5)], "a list of numbers, each a number of at least 0"),
        (Numeric(1, 10**6, whole=True), [1, 10**6], "a whole number of at least 1 and of at most 1,000,000"),
        (
            OneOrMore(Numeric(1, whole=True)),
            [4, (32, 64), [7]],
            "a whole number of at least 1, or a list of them, one for each layer",
        ),
        (AnyOf(Numeric(0), "some", least=1, optional=True), [None, [1]], "some, each a number of at least 0 or None"),
    ],
)
def test_constraint_allows_and_refuses(constraint: Constraint, good: list[object], words: str) -> None:
    assert constraint.words == words
    for value in good:
        assert constraint.allows(value), value
    for value in constraint.invalid():
        assert not constraint.allows(value), value
        with pytest.raises(SettingError, match="expected"):
            check_parameters({"name": value}, {"name": constraint})


def test_every_forecaster_parameter_has_a_constraint_that_its_default_satisfies() -> None:
    defaults = Forecaster().get_params()
    assert set(defaults) == set(Forecaster._constraints)
    check_parameters(defaults, Forecaster._constraints)


@pytest.mark.parametrize("name", sorted(Forecaster._constraints))
def test_fit_refuses_invalid_values_by_name(name: str) -> None:
    for value in Forecaster._constraints[name].invalid():
        with pytest.raises(SettingError, match=f"^{name}: expected .*got "):
            Forecaster(**{name: value}).fit(np.arange(100.0), target="column_0")


@pytest.mark.parametrize("name", sorted(ESTIMATORS))
def test_signatures_say_what_the_table_says(name: str) -> None:
    estimator = getattr(tasks, name)
    signature = {
        parameter.name: parameter.default
        for parameter in inspect.signature(estimator.__init__).parameters.values()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
    assert sorted(signature) == sorted(ESTIMATORS[name])
    assert estimator._parameter_names() == list(ESTIMATORS[name]) == list(estimator._constraints)
    for parameter, entry in ESTIMATORS[name].items():
        assert entry.name == parameter
        assert entry.help[:1].isupper() or entry.help.startswith("path:"), parameter
        assert not entry.help.endswith("."), parameter
        assert repr(signature[parameter]) == repr(entry.default), parameter
        assert estimator._constraints[parameter].allows(entry.default), parameter


def test_the_table_lists_the_choices_that_the_code_knows() -> None:
    for name, known in (
        ("optimizer", OPTIMIZERS),
        ("schedule", SCHEDULES),
        ("pooling", POOLINGS),
        ("pool", POOLINGS),
        ("loss", ("mse", "mae", "huber")),
        ("weighting", MODES),
    ):
        constraint = PARAMETERS[name].constraint
        assert isinstance(constraint, OneOf)
        assert set(constraint.names) == set(known), name


def test_constructor_only_stores() -> None:
    odd = object()
    assert Forecaster(units=odd).get_params()["units"] is odd  # type: ignore[arg-type]


def test_near_names_are_suggested() -> None:
    with pytest.raises(SettingError, match="Did you mean 'lstm'"):
        Forecaster(model="lsmt").fit(np.arange(100.0), target="column_0")
    with pytest.raises(SettingError, match="Did you mean 'units'"):
        Forecaster().set_params(unit=3)


def test_clone_and_repr() -> None:
    from sklearn.base import clone

    forecaster = Forecaster(model="linear", units=7, split=(0.6, 0.2))
    copy: Forecaster = clone(forecaster)  # pyright: ignore[reportAssignmentType]
    assert copy is not forecaster
    assert copy.get_params() == forecaster.get_params()
    assert repr(copy) == "Forecaster(model='linear', units=7, split=(0.6, 0.2))"


@pytest.mark.parametrize(
    "value", ["x" * 10**6, 10**10_000, list(range(10**5)), "\x1b[31m"], ids=["text", "number", "list", "escape"]
)
def test_long_and_odd_values_are_shown_short(value: object) -> None:
    with pytest.raises(SettingError) as caught:
        check_parameters({"units": value}, {"units": Numeric(1, whole=True)})
    assert len(str(caught.value)) < 200
    assert str(caught.value).isprintable()


def test_every_size_has_an_upper_bound() -> None:
    """What a number can't mean is refused by the table, whatever memory there is."""
    for name in tasks.__all__:
        for parameter, constraint in getattr(getattr(tasks, name), "_constraints", {}).items():
            if isinstance(constraint, (Numeric, Span)) and parameter != "missing":
                assert not constraint.allows(10**31), (name, parameter)


def test_a_bound_that_only_stops_nonsense_is_told_to_those_who_passed_it() -> None:
    for value, words in ((0, "of at least 1, got 0"), (10**7, "of at least 1 and of at most 1,000,000, got 10000000")):
        with pytest.raises(SettingError, match=rf"^epochs: expected a whole number {words}\.$"):
            check_parameters({"epochs": value}, {"epochs": Numeric(1, 10**6, whole=True)})
    with pytest.raises(SettingError, match="rows up to 1,000,000,000, or a duration"):
        check_parameters({"lookback": 10**12}, {"lookback": Span()})

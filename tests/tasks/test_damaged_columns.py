"""Damage behind a right checksum in what a saved model knows of targets, words, static columns, holidays, intervals."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seqloom.errors import FormatError, SeqloomError
from seqloom.tasks import Forecaster
from seqloom.tasks.loading import estimator_from
from seqloom_runtime.model_folder import read_model

ROWS = 70
DAYS = pd.date_range("2020-01-01", periods=ROWS)
FIELDS = ("features", "context", "radii", "source")


def wide() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"t": DAYS, **{name: rng.normal(size=ROWS) for name in "abx"}})
    frame.loc[20:22, "x"] = np.nan
    return frame


def shops() -> pd.DataFrame:
    rng, words = np.random.default_rng(1), [list("abcd")[i % 4] for i in range(ROWS)]
    parts = [
        pd.DataFrame({"t": DAYS, "shop": s, "region": r, "size": z, "y": rng.normal(size=ROWS), "k": words})
        for s, r, z in (("p", "N", 1.0), ("q", "S", 2.0), ("r", "N", 4.0))
    ]
    return pd.concat(parts)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[dict[str, Any], dict[str, np.ndarray]]]:
    """Header and arrays of a model of several targets, and of one with words, static columns and holidays."""
    few: dict[str, Any] = {"model": "linear", "lookback": 4, "horizon": 2, "epochs": 1, "levels": (80,)}
    joined = pd.concat([wide().assign(shop=name) for name in (1, 2)])
    models = {
        "targets": Forecaster(**few).fit(joined, target=["a", "b"], time="t", id="shop", inputs="*"),
        "words": Forecaster(**few, holidays="DE-BY").fit(shops(), target="y", time="t", id="shop", inputs=["k"]),
        "static": Forecaster(**few).fit(shops(), target="y", time="t", id="shop"),
    }
    found = {}
    for name, model in models.items():
        folder = tmp_path_factory.mktemp(name) / "model"
        model.save(folder)
        found[name] = read_model(folder)
    return found


def placed(header: dict[str, Any], path: tuple[Any, ...], value: Any) -> None:
    parent: Any = header
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = value


@pytest.mark.parametrize(
    ("model", "path", "value", "words"),
    [
        ("targets", ("features", "targets"), [], "contradict|don't fit|belongs to none"),
        ("targets", ("features", "targets"), ["a", "c"], "belongs to none of the targets"),
        ("targets", ("features", "targets"), ["a", "a"], "'targets' is"),
        ("targets", ("features", "joined"), False, "belongs to none of the targets"),
        ("targets", ("features", "since"), False, "contradict each other"),
        ("targets", ("features", "flagged"), [], "contradict each other|weights|width|differs"),
        ("targets", ("radii", "80"), [[1.0, 1.0]], "radii of each target"),
        ("targets", ("radii", "80"), [[1.0, 1.0], [None, 1.0]], "radii of at least 0"),
        ("targets", ("source", "id"), "t", "names of the time and id columns"),
        ("targets", ("source", "time"), "\ud800", "names of the time and id columns"),
        ("words", ("features", "categories", "k", "words"), ["a", "b", "a", "d"], "the words of the category 'k'"),
        ("words", ("features", "categories", "k", "shares"), [0.5], "the words of the category 'k'"),
        ("words", ("features", "categories", "k"), None, "the words of the category 'k'"),
        ("words", ("features", "categories"), {}, r"don't fit \d series"),
        ("words", ("context", "words"), {}, r"the words of \['k'\]"),
        ("words", ("context", "words", "k"), ["a"], "code|words"),
        ("words", ("features", "holidays", "places"), "FR", "features.holidays differs"),
        ("words", ("features", "holidays", "places"), "DE-", "holidays is"),
        ("words", ("features", "holidays", "names"), [], "holidays is"),
        ("words", ("features", "holidays"), {}, "holidays is"),
        ("static", ("features", "static"), ["y"], "contradict each other"),
        ("static", ("features", "static"), ["size", "shop"], "contradict|expected"),
    ],
)
def test_one_sentence_says_what_is_damaged(
    saved: Any, model: str, path: tuple[Any, ...], value: Any, words: str
) -> None:
    header, arrays = copy.deepcopy(saved[model])
    placed(header, path, value)
    with pytest.raises(FormatError, match=words) as caught:
        estimator_from("forecast", header, arrays)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 2_000


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from places(item, (*path, key))


ODD = (None, True, 0, -1, 2, 10**30, 1.5, "", "a", "b", "x", "t", "k", "DE-", "\ud800", [], ["a"], ["a", "b"], [None])
ODDER = ([[1.0, 1.0], [1.0, 1.0]], {}, {"k": []}, {"words": [], "shares": [], "other": True, "left": 0})
VALUES = st.sampled_from([*ODD, *ODDER])


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_any_damage_is_a_sentence_or_harmless(saved: Any, data: st.DataObject) -> None:
    header, arrays = copy.deepcopy(saved[data.draw(st.sampled_from(sorted(saved)))])
    path = data.draw(st.sampled_from([path for path in places(header) if path[0] in FIELDS]))
    placed(header, path, data.draw(VALUES))
    said = ""
    try:
        estimator_from("forecast", header, arrays).predict()
    except SeqloomError as error:
        said = str(error)
    assert "\n" not in said

"""Inputs of a category depend on which cells are alike, not on what they say, and on the training rows alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
from hypothesis import assume, given
from hypothesis import strategies as st

from seqloom.data import Panel
from seqloom.report.saved import read_run
from seqloom.report.sections import asked
from seqloom.tasks.forecast import compare_forecasters
from seqloom_runtime.forecast.category_inputs import fit_category

CELLS = st.lists(st.sampled_from(["a", "b", "c", "d", None]), min_size=8, max_size=24)
NAMES = st.lists(st.text("zyxwé", min_size=1, max_size=3), min_size=4, max_size=4, unique=True)


def panel(cells: list[str | None]) -> Panel:
    days = pd.date_range("2020-01-01", periods=len(cells))
    frame = pd.DataFrame({"t": days, "y": np.arange(float(len(cells))), "k": pd.Series(cells, dtype=object)})
    return Panel.from_frame(frame, time="t", categories=["k"], fill="none")


def first(rows: int, of: int) -> np.ndarray:
    return np.arange(of) < rows


@given(CELLS, NAMES, st.integers(4, 8))
def test_other_words_and_another_order_of_words_make_the_same_inputs(
    cells: list[str | None], names: list[str], train: int
) -> None:
    assume(any(cells[:train]))
    renamed = [None if cell is None else names["abcd".index(cell)] for cell in cells]
    one, other = panel(cells), panel(renamed)
    known = first(train, len(cells))
    mine, theirs = fit_category(one, "k", known), fit_category(other, "k", known)
    np.testing.assert_array_equal(mine.inputs(one), theirs.inputs(other))
    assert [names["abcd".index(word)] for word in mine.words] == list(theirs.words)


@given(CELLS, CELLS, st.integers(4, 8))
def test_unseen_words_and_missing_cells(cells: list[str | None], later: list[str | None], train: int) -> None:
    assume(any(cells[:train]))
    known = first(train, len(cells))
    whole = panel(cells)
    found = fit_category(whole, "k", known)
    # What comes later teaches nothing, whichever words it brings.
    changed = [*cells[:train], *[cell and f"new {cell}" for cell in later]]
    other = panel(changed)
    assert fit_category(other, "k", first(train, len(changed))) == found
    rows = found.inputs(other)
    np.testing.assert_allclose(rows.sum(axis=1), 1, rtol=1e-6)
    unknown = rows[train:]
    expected = np.eye(found.width)[-1] if found.other else np.array(found.shares)
    np.testing.assert_allclose(unknown, np.broadcast_to(expected, unknown.shape), rtol=1e-6)
    for row, cell in zip(rows, cells[:train]):
        assert cell not in found.words or row[found.words.index(cell)] == 1


def test_the_report_says_which_categories_are_read(tmp_path: Path) -> None:
    days = pd.date_range("2020-01-01", periods=60)
    frame = pd.concat(
        pd.DataFrame({"t": days, "s": s, "size": z, "y": np.arange(60.0), "k": [*"ab<"] * 20})
        for s, z in (("p", 1.0), ("q", 2.0))
    )
    read = Panel.from_frame(frame, time="t", id="s", categories=["k"])
    few = {"lookback": 4, "horizon": 2, "epochs": 1}
    run = compare_forecasters(read, ["linear"], few, target="y", inputs="*", directory=tmp_path / "run")
    assert run.metrics["categories"] == {"k": ["a", "b", "<"]}
    assert run.metrics["static"] == ["size"]
    page = asked(read_run(tmp_path / "run"))
    assert "<dt>Categories</dt><dd>k (a, b, &lt;)</dd>" in page
    assert "<dt>Static columns</dt><dd>size</dd>" in page
    plain = compare_forecasters(read.select(["y"]), [], few, target="y").metrics
    assert not {"categories", "static"} & set(plain)
    metrics = tmp_path / "run" / "metrics.json"
    metrics.write_text(json.dumps({**json.loads(metrics.read_text()), "categories": 7, "static": {}}))
    assert "Categories" not in asked(read_run(tmp_path / "run"))

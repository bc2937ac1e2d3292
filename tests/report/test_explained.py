"""The section of columns and lags: drawn where a run has an explanation, left out of older runs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seqloom.errors import FormatError
from seqloom.report import build
from seqloom.report.explained_charts import explained_figures
from seqloom.report.saved import read_run
from seqloom.report.sections import asked

ABOUT: dict[str, Any] = {
    "model": "gru",
    "unit": "degC",
    "scale": None,
    "error": 0.5,
    "windows": 96,
    "permutations": 5,
    "block": 24,
    "season_kept": True,
    "steps": [1, 3, 6],
    "gap": 0.002,
    "columns": [
        {"name": "p <b>(mbar)", "rise": 0.75, "spread": 0.05, "attribution": 3.0, "ahead": 0.0},
        {"name": "T (degC)", "rise": 0.25, "spread": 0.02, "attribution": 1.0, "ahead": 0.5},
        {"name": "idle", "rise": None, "spread": None, "attribution": 0.0, "ahead": 0.0},
    ],
    "lags": [0, 1, 2, 3],
    "by_lag": [
        {"name": "p <b>(mbar)", "values": [0.5, 1.5, 0.5, 0.5]},
        {"name": "T (degC)", "values": [0.0, 0.2, None, 0.3]},
    ],
    "decomposed": [],
}
SUM = {
    "series": "",
    "times": ["2020-09-01", "2020-09-02"],
    "terms": [
        {"name": "level", "values": [10.0, 10.0]},
        {"name": "past of T (degC)", "values": [1.5, -2.0]},
        {"name": "constant", "values": [0.25, 0.5]},
    ],
    "total": [11.75, 8.5],
}


def explained(folder: Path, **changes: Any) -> Path:
    """The run folder with an explanation of its best model."""
    path = folder / "metrics.json"
    metrics = json.loads(path.read_text())
    path.write_text(json.dumps({**metrics, "explained": {**ABOUT, **changes}}))
    return folder


def test_columns_lags_and_terms_are_drawn_and_older_runs_have_none(
    make_run: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seqloom.report.document._png", lambda figure, chart: b"")
    folder = make_run(windows=6, epochs=2)
    before = build(folder).read_text()
    assert "that matter" not in before
    page = build(explained(folder, decomposed=[SUM])).read_text()
    for heading in ("Columns that matter to gru", "Lags that matter to gru", "The forecast as a sum"):
        assert f">{heading}</h2>" in page
    assert "p <b>" not in re.sub("<script.*?</script>", "", page, flags=re.DOTALL)
    assert "+150.0 %" in page
    assert "75.0 %" in page
    assert "level 10.00 + past of T (degC) 1.50 + constant 0.25 = 11.75 degC" in page


def test_charts_hold_the_numbers_of_the_file(make_run: Callable[..., Path]) -> None:
    folder = explained(make_run(windows=6, epochs=2), decomposed=[SUM])
    columns, lags, terms = explained_figures(read_run(folder)) or []
    rows = columns.charts[0].spec["datasets"]["rows"]
    assert [(row["m"], row["v"], row["hi"]) for row in rows] == [("p <b>(mbar)", 0.75, 0.8), ("T (degC)", 0.25, 0.27)]
    assert [row["v"] for row in columns.charts[1].spec["datasets"]["rows"]] == [75, 25, 0]
    assert [row["v0"] for row in lags.charts[0].spec["datasets"]["rows"]] == [0.5, 1.5, 0.5, 0.5]
    assert [row["f"] for row in terms.charts[0].spec["datasets"]["rows"]] == [1.75, -1.5]
    assert "0.20 %" in lags.notes[0]


def test_one_column_has_no_bars_and_damage_is_named(make_run: Callable[..., Path]) -> None:
    folder = make_run(windows=6, epochs=2)
    explained(folder, columns=ABOUT["columns"][:1], by_lag=ABOUT["by_lag"][:1])
    assert [figure.key for figure in explained_figures(read_run(folder)) or []] == ["lags"]
    explained(folder, columns=[3, 4])
    with pytest.raises(FormatError, match="lacks or misstates"):
        build(folder)
    path = folder / "metrics.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "explained": [1]}))
    with pytest.raises(FormatError, match="explained"):
        read_run(folder)


def test_what_is_explained_of_an_ensemble_is_one_member_with_its_share(make_run: Callable[..., Path]) -> None:
    folder = explained(make_run(windows=6, epochs=2))
    metrics = json.loads((folder / "metrics.json").read_text())
    metrics["models"][metrics["best"]]["members"] = {"gru": 0.25, "naive": 0.75}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    columns, lags = explained_figures(read_run(folder)) or []
    assert columns.heading == "Columns that matter to gru, 25 % of the ensemble"
    assert lags.heading == "Lags that matter to gru, 25 % of the ensemble"
    # Of 3.5 in all, 0.5, 2.2, 2.7 and 3.5 lie within the newest rows.
    assert "90 % of what gru rests on lies in the newest 4 rows, so that it uses its whole lookback." in lags.reading
    assert lags.reading.endswith("The other members of the ensemble are not explained here.")


def test_which_models_read_what_is_known_ahead_is_said(make_run: Callable[..., Path]) -> None:
    folder = make_run(windows=6, epochs=2)
    assert "Known ahead" not in asked(read_run(folder))
    record = json.loads((folder / "run.json").read_text())
    record["settings"]["future"] = "promo"
    (folder / "run.json").write_text(json.dumps(record))
    said = "promo; read by gru; baselines and statistical methods read the target alone"
    assert f"<dt>Known ahead</dt><dd>{said}</dd>" in asked(read_run(folder))

"""The table of models: the best marked, baselines marked, aligned text, safe HTML."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seqloom.report import read_metrics, table_text
from seqloom.report.ranking import drawn_models, kind_words, ranked, shown_first
from seqloom.report.saved import ordered_models
from seqloom.report.scores import column_groups, score_columns, table_html
from seqloom.report.style import model_styles

Make = Callable[..., Path]


def metrics_of(make_run: Make, **changes: Any) -> dict[str, Any]:
    return read_metrics(make_run(windows=4, **changes) / "metrics.json")


def test_best_is_the_lowest_error_and_the_highest_skill(make_run: Make) -> None:
    metrics = metrics_of(make_run, models=("gru", "naive", "linear"))
    rng = np.random.default_rng(1)
    for model in metrics["models"].values():
        for split in ("valid", "test"):
            for key in ("mae", "mae_scaled", "rmse", "mase", "smape", "skill"):
                model[split][key] = float(rng.uniform(-1 if key == "skill" else 0.1, 1))
    names = ["naive", "gru", "linear"]  # baselines first, then as in the file
    keys = {"MAE (degC)": "mae", "MAE (std.)": "mae_scaled", "RMSE (degC)": "rmse", "MASE": "mase", "sMAPE": "smape"}
    seen = 0
    for column in score_columns(metrics):
        if column.heading not in {*keys, "Skill"}:
            continue
        values = [metrics["models"][n][column.split][keys.get(column.heading, "skill")] for n in names]
        wanted = int(np.argmax(values) if column.heading == "Skill" else np.argmin(values))
        assert [cell.best for cell in column.cells] == [i == wanted for i in range(3)], column
        seen += 1
    assert seen == 12


def test_best_coverage_is_the_nearest_to_nominal(make_run: Make) -> None:
    metrics = metrics_of(make_run)
    for name, share in (("naive", 0.70), ("damped-persistence", 0.82), ("gru", 0.99)):
        metrics["models"][name]["test"]["coverage"]["80"] = share
    column = next(c for c in score_columns(metrics) if c.heading == "Within 80 %")
    assert [(c.text, c.best) for c in column.cells] == [("70.0 %", False), ("82.0 %", True), ("99.0 %", False)]


def test_a_model_on_fewer_windows_has_a_mark_and_no_star(make_run: Make) -> None:
    metrics = metrics_of(make_run, models=("naive", "linear", "gru"))
    for name, count, error in (("naive", 40, 3.0), ("linear", 40, 2.0), ("gru", 8, 0.5)):
        for split in ("valid", "test"):
            metrics["models"][name][split].update(windows=count, mae=error)
    column = next(c for c in score_columns(metrics) if c.heading.startswith("MAE (deg"))
    assert [cell.best for cell in column.cells] == [False, True, False]
    text, page = table_text(metrics), table_html(metrics)
    assert "gru †" in text
    assert "linear †" not in text
    told = (
        "scored on fewer windows, and so without a star: gru on 8 of the 40 validation windows; gru on 8 of the 40 test"
    )
    assert f"† {told} windows" in text
    assert told in page
    assert "gru †" in page


def test_units_of_the_scores(make_run: Make) -> None:
    metrics = metrics_of(make_run, models=("naive", "gru"))
    metrics["models"]["gru"]["valid"].update(mae=2.62349, smape=16.34, skill=0.0954)
    texts = {(c.split, c.heading): c.cells[1].text for c in score_columns(metrics)}
    assert texts["valid", "MAE (degC)"] == "2.623"
    assert texts["valid", "sMAPE"] == "16.3 %"
    assert texts["valid", "Skill"] == "+9.5 %"


def test_text_is_aligned_and_says_what_it_marks(make_run: Make) -> None:
    text = table_text(metrics_of(make_run, models=("naive", "damped-persistence", "gru")))
    validation, test, legend = text.rstrip("\n").split("\n\n")
    assert (
        legend
        == "* best of the column   > selected by mean absolute error on the first two thirds of the validation set"
    )
    for block in (validation, test):
        title, head, *rows = (line.ljust(140) for line in block.split("\n"))
        assert title.rstrip().endswith("(4 windows)")
        assert [row.split()[0] for row in rows] == ["naive", "damped-persistence", ">"]
        for heading in ("Parameters", "MAE (degC)", "Skill"):
            end = head.index(heading) + len(heading)
            assert all(row[end - 1] != " " and row[end] in " *" for row in rows), heading
    assert "Within 95 %" in test
    assert "Within" not in validation
    assert max(len(line) for line in text.split("\n")) <= 135


@pytest.mark.parametrize("width", [40, 80, 100])
def test_text_that_is_too_wide_is_continued_below(make_run: Make, width: int) -> None:
    metrics = metrics_of(make_run, models=("naive", "damped-persistence", "gru"))
    whole, narrow = table_text(metrics), table_text(metrics, width)
    blocks = narrow.split("\n\n")[:2]
    assert all(len(line) <= width for block in blocks for line in block.split("\n"))
    for block, wide in zip(blocks, whole.split("\n\n"), strict=False):
        lines = block.split("\n")[1:]
        names = [line.lstrip("> ").split()[0] for line in lines]
        assert names == ["model", "naive", "damped-persistence", "gru"] * (len(names) // 4)
        # every cell of the wide table is in the narrow one, beside the same model
        for name in ("naive", "damped-persistence", "gru"):
            row = next(line for line in wide.split("\n") if line.lstrip("> ").startswith(name))
            parts = [line.lstrip("> ").split()[1:] for line in lines if line.lstrip("> ").startswith(name)]
            assert sorted(row.lstrip("> ").split()[1:]) == sorted(cell for part in parts for cell in part)
    assert table_text(metrics, 500) == whole


def test_column_groups() -> None:
    assert column_groups([5, 9, 9, 9], 1, None) == [[0, 1, 2, 3]]
    assert column_groups([5, 9, 9, 9], 1, 38) == [[0, 1, 2, 3]]
    assert column_groups([5, 9, 9, 9], 1, 37) == [[0, 1, 2], [0, 3]]
    assert column_groups([5, 99, 9], 1, 20) == [[0, 1], [0, 2]]  # too wide for any terminal: alone
    assert column_groups([5, 5, 9, 9], 2, 23) == [[0, 1, 2], [0, 1, 3]]


def test_single_baseline_and_missing_numbers(make_run: Make) -> None:
    metrics = metrics_of(make_run, models=("naive",), levels=())
    metrics["models"]["naive"]["valid"]["mase"] = None
    metrics["models"]["naive"]["test"]["mase"] = None
    text = table_text(metrics)
    assert "MASE" not in text
    assert "*" not in text.replace("* best", "")
    two = metrics_of(make_run, models=("naive", "gru"))
    two["models"]["naive"]["test"]["mae"] = None
    row = table_text(two).split("\n\n")[1].split("\n")[2]
    assert row.split()[3] == "–"


def test_text_holds_no_control_characters(make_run: Make) -> None:
    text = table_text(metrics_of(make_run, models=("naive", "g\x1b[31mru\n")))
    assert "\x1b" not in text
    assert "g\\x1b[31mru\\n " in text


def test_html_is_a_table_for_screen_readers(make_run: Make) -> None:
    metrics = metrics_of(make_run, models=("naive", "<b>&gru"))
    html = table_html(metrics)
    assert "<b>&gru" not in html
    assert html.count("&lt;b&gt;&amp;gru") == 2
    assert html.count('scope="rowgroup"') == 2
    assert html.count('<th scope="row">') == 4
    assert html.count('scope="col"') == html.split("</thead>")[0].count("<th ")
    assert html.count('<span class="hidden">best: </span>') == html.count("★") == html.count(' best"')
    columns = html.split("</thead>")[0].count("<th ")
    for row in html.split("<tr")[1:]:
        if "rowgroup" not in row and "col" not in row.split(">", 2)[1]:
            assert row.count("<td") == columns - 1
    json.dumps(metrics)


MANY = (
    "naive",
    "seasonal",
    "drift",
    "mean",
    "damped-persistence",
    "ets",
    "theta",
    "stl-ets",
    "linear",
    "gru",
    "lstm",
    "tcn",
)


def test_of_many_models_the_first_by_rank_are_in_the_open(make_run: Make) -> None:
    """Nineteen models twice were a wall of numbers; the page folds the others, the terminal says where they are."""
    metrics = metrics_of(make_run, models=MANY)
    order = ranked(metrics)
    first = shown_first(metrics)
    assert first == [name for name in order if name in {*order[:8], "naive", "seasonal", metrics["best"]}]
    assert 8 <= len(first) < len(MANY)
    open_part, folded = table_html(metrics).split("<details>")
    for name in MANY:
        assert (f'<th scope="row">{name}<' in open_part) == (name in first)
        assert (f'<th scope="row">{name}<' in folded) == (name not in first)
    text, first = table_text(metrics, rest="in the report"), shown_first(metrics, 5)
    assert f"{len(MANY) - len(first)} more models, ranked behind these, are in the report" in text
    assert {line.split()[0] for line in text.splitlines() if "baseline" in line or "statistical" in line} < {
        *first,
        ">",
    }
    few = metrics_of(make_run, models=MANY[:5])
    assert shown_first(few) == ordered_models(few)
    assert "<details>" not in table_html(few)
    assert table_text(few, rest="elsewhere") == table_text(few)


def test_charts_of_many_models_draw_the_selected_the_baselines_and_the_best(make_run: Make) -> None:
    metrics = metrics_of(make_run, models=MANY)
    drawn = drawn_models(metrics, MANY)
    assert {"naive", "seasonal", metrics["best"]} <= set(drawn)
    assert len(drawn) <= 6
    assert drawn_models(metrics, MANY[:4]) == [name for name in ordered_models(metrics) if name in MANY[:4]]
    colours = [style.colour for name, style in model_styles(metrics).items() if name in drawn]
    assert len(set(colours)) == len(colours)


def test_a_method_that_is_fitted_is_no_baseline(make_run: Make) -> None:
    metrics = metrics_of(make_run, models=("naive", "ets", "gru"))
    assert [kind_words(metrics, name) for name in metrics["models"]] == ["baseline", "statistical", "network"]
    assert '<th scope="row">ets<span class="tag">statistical</span>' in table_html(metrics)


def test_a_star_needs_values_that_differ_and_a_model_that_finds_something(make_run: Make) -> None:
    metrics = metrics_of(make_run, models=("naive", "linear", "gru"))
    metrics["task"] = "records"
    held = {"naive": (0.0, 0.0, None), "linear": (0.05, 0.1, 9.0), "gru": (0.8, 0.2, 4.0)}
    for name, (alarmed, false, lead) in held.items():
        scores = {"alarmed": alarmed, "record_false_alarms": false, "exact_match": 0.0}
        scores |= {} if lead is None else {"lead_time": lead}
        metrics["models"][name].update(valid=dict(scores), test=dict(scores))
    metrics["lower_is_better"] = ["record_false_alarms"]
    metrics["scores"] = ["alarmed", "record_false_alarms", "lead_time", "exact_match"]
    stars = {
        c.heading: [cell.best for cell in c.cells]
        for c in score_columns(metrics)
        if c.split == "test" and "Within" not in c.heading
    }
    assert stars["Alarmed"] == [False, False, True]
    # The silent model raises no false alarm, and the one that finds an event of twenty leads by chance.
    assert stars["False alarms (records)"] == stars["Lead time"] == [False, False, False]
    assert stars["Exact match"] == [False, False, False]

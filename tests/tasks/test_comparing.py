"""A comparison of any models: its folder, its choice, equal bytes, going on after an interruption, refusals."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from oracles.run_folders import WRITTEN_BY, Stop, check_interrupted_while_writing, contents
from oracles.tiny_classifier import CLASSES, TinyClassifier, compare_in, killed_at_random, parts
from seqloom.diagnostics import sign_test
from seqloom.errors import DataError, FormatError, RunLockedError, SettingError
from seqloom.tasks.comparison import Evaluation, ModelFinished, ModelStarted
from seqloom.tasks.comparison import task as task_module
from seqloom.tasks.comparison.fingerprint import fingerprint
from seqloom.tasks.comparison.tables import predictions_csv
from seqloom.tasks.comparison.words import statements
from seqloom_runtime.files import folder_lock
from seqloom_runtime.tables import write_csv


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an undisturbed comparison."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    compare_in(folder)
    return folder


# -- what is written ----------------------------------------------------------------------------------------------


def test_folder_and_metrics(whole: Path) -> None:
    files = ["details.json", "history.csv", "metrics.json", "predictions.csv", "run.json"]
    assert sorted(path.name for path in whole.iterdir()) == sorted(["checkpoint", "model", *files])
    assert sorted(path.name for path in (whole / "checkpoint").iterdir()) == ["again", "logistic"]
    metrics = json.loads((whole / "metrics.json").read_text())
    assert metrics["task"] == "sequences"
    assert (metrics["target"], metrics["unit"]) == ("way", "example")
    assert metrics["examples"] == {"train": 96, "valid": 40, "test": 40}
    assert metrics["scores"][0] == "accuracy"
    assert metrics["lower_is_better"] == ["brier", "log_loss"]
    assert list(metrics["models"]) == ["majority", "logistic", "again"]
    assert [model["kind"] for model in metrics["models"].values()] == ["baseline", "network", "network"]
    assert metrics["models"]["logistic"]["parameters"] == 6
    assert metrics["models"]["majority"]["best_epoch"] is None
    accuracies = {name: model["valid"]["accuracy"] for name, model in metrics["models"].items()}
    assert accuracies[metrics["best"]] == max(accuracies.values()) > accuracies["majority"]
    assert metrics["notes"] == ["96 sequences trained the models."]
    record = json.loads((whole / "run.json").read_text())
    assert record["command"] == "sequences"
    assert record["settings"] == {"models": ["majority", "logistic", "again"], "epochs": 3}
    assert record["data"]["examples"] == metrics["examples"]
    assert set(record["timings"]) == set(metrics["models"])
    assert record["parameters"]["again"] == {"model": "logistic", "epochs": 3, "extra": None}
    details = json.loads((whole / "details.json").read_text())
    assert details["part"] == "test"
    assert set(details["models"]) == set(metrics["models"])
    assert np.sum(details["models"]["majority"]["confusion"]["counts"]) == 40


def test_tables(whole: Path) -> None:
    run = compare_in(None)
    with open(whole / "predictions.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    best = run.metrics["best"]
    other = "again" if best == "logistic" else "logistic"
    assert list(rows[0]) == ["split", "row", "actual", "majority", "logistic", "again", "loss", "p_down", "p_up"]
    assert [row["split"] for row in rows] == ["valid"] * 40 + ["test"] * 40
    test = rows[40:]
    assert [row["actual"] for row in test] == parts()["test"][1].tolist()
    assert [row[other] for row in test] == run.test[other].predictions["predicted"].tolist()
    np.testing.assert_array_equal([float(row["p_up"]) for row in test], run.test[best].predictions["p_up"])
    with open(whole / "history.csv", newline="") as file:
        history = list(csv.DictReader(file))
    assert [(row["model"], row["epoch"]) for row in history] == [
        (m, str(e)) for m in ("logistic", "again") for e in (1, 2, 3)
    ]
    assert list(history[0])[5:] == ["valid_loss", "valid_accuracy"]
    last = run.estimators["again"].history_.epochs[-1]
    assert float(history[-1]["valid_loss"]) == last.valid["loss"]


def test_rows_that_models_do_not_share(tmp_path: Path) -> None:
    one = Evaluation({"f1": 1.0}, predictions={"row": np.arange(4), "predicted": np.arange(4.0), "bits": np.ones(4)})
    two = Evaluation({"f1": 0.5}, predictions={"row": np.arange(3), "predicted": np.arange(3.0)})
    predictions_csv(tmp_path / "p.csv", {"test": {"a": one, "b": two}}, "a")
    assert (tmp_path / "p.csv").read_text().splitlines()[:2] == ["split,a,row,bits", "test,0.0,0,1.0"]
    predictions_csv(tmp_path / "p.csv", {"test": {"row": one}}, "row")
    assert (tmp_path / "p.csv").read_text().splitlines()[0] == "split,row,bits,predicted_row"
    predictions_csv(tmp_path / "p.csv", {"test": {"a": Evaluation({"f1": 1.0})}}, "a")
    assert (tmp_path / "p.csv").read_text() == "split\n"


def test_predictions_are_written_by_column_to_the_bytes_of_their_rows(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    few, many = 40, 5_100  # as many as it takes to write by column
    valid = {"row": np.arange(few), "predicted": draw.normal(size=few), "low": np.arange(few), "flag": draw.random(few)}
    own = np.where(draw.random(many) < 0.1, np.nan, draw.normal(size=many)) * 10.0 ** draw.integers(-20, 20, many)
    test = {"row": np.arange(many), "predicted": own, "word": np.array(["a,b", "", "c"] * (many // 3), dtype=object)}
    predictions = {"valid": valid, "test": test | {"low": own}}
    made = {part: {"a": Evaluation({"f1": 1.0}, predictions=columns)} for part, columns in predictions.items()}
    predictions_csv(tmp_path / "columns.csv", made, "a")
    header = ["row", "low", "flag", "a", "word"]
    rows = []
    for part, columns in predictions.items():
        named = {"a" if name == "predicted" else name: values.tolist() for name, values in columns.items()}
        rows += [[part, *row] for row in zip(*(named.get(name, [None] * len(named["row"])) for name in header))]
    write_csv(tmp_path / "rows.csv", ["split", *header], rows)
    lines = [(tmp_path / name).read_bytes().split(b"\n") for name in ("columns.csv", "rows.csv")]
    assert [pair for pair in zip(*lines, strict=True) if pair[0] != pair[1]] == []


def test_long_tables_are_thinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seqloom.tasks.comparison.tables.ROWS_WRITTEN", 30)
    compare_in(tmp_path / "run", epochs=1)
    rows = (tmp_path / "run" / "predictions.csv").read_text().splitlines()[1:]
    assert len(rows) == 2 * 14  # every third of 40 a part


def test_events_and_nothing_written_without_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    told: list[Any] = []
    run = compare_in(None, on_event=told.append)
    assert run.directory is None
    assert not list(tmp_path.iterdir())
    names = ["majority", "logistic", "again"]
    assert [(e.name, e.index, e.total) for e in told if isinstance(e, ModelStarted)] == [
        (name, k, 3) for k, name in enumerate(names)
    ]
    assert [e.name for e in told if isinstance(e, ModelFinished)] == names
    assert run.best is run.estimators[run.metrics["best"]]


# -- who wins, in numbers and in words ------------------------------------------------------------------------------


def judged(value: float, wrong: int, *, lower: bool = False) -> Evaluation:
    """An evaluation of 20 rows, the last `wrong` of them wrong."""
    predicted = np.array(["a"] * (20 - wrong) + ["b"] * wrong)
    return Evaluation(
        {"score": value},
        frozenset({"score"} if lower else ()),
        {"actual": np.array(["a"] * 20), "predicted": predicted},
    )


def test_statements_say_who_won_and_what_test_says_to_it() -> None:
    valid = {"mean": judged(0.5, 10), "net": judged(0.8, 4), "even": judged(0.5, 9)}
    test = {"mean": judged(0.6, 8), "net": judged(0.55, 9), "even": judged(0.7, 6)}
    told = statements(valid, test, "mean", "net")
    assert told[0] == "net won on validation, but did no better than mean on test, by score."
    assert told[1] == (
        "net: score better than mean (0.8 against 0.5) on validation, worse than mean (0.55 against 0.6) on test."
    )
    assert told[2].startswith("even: score the same as mean (0.5) on validation, better than mean (0.7")
    assert told[3] == ("On test there is no significant difference between net and even (paired sign test, p = 0.25).")
    lost = statements({"mean": judged(0.1, 0, lower=True), "net": judged(0.2, 0, lower=True)}, test, "mean", "mean")
    assert lost[0] == "No model did better than mean on validation, by score."
    assert "worse than mean (0.2 against 0.1) on validation" in lost[1]


def test_a_lead_that_chance_does_not_explain_is_not_doubted() -> None:
    both = {"mean": judged(0.5, 15), "net": judged(0.9, 2)}
    assert len(statements(both, both, "mean", "net")) == 1
    numbers = np.arange(20.0)
    for shift, doubted in ((0.5, False), (np.where(numbers % 2, 0.5, -0.5), True)):
        pair = {
            "mean": Evaluation({"r2": 0.1}, predictions={"actual": numbers, "predicted": numbers + 1}),
            "net": Evaluation({"r2": 0.2}, predictions={"actual": numbers, "predicted": numbers + 1 - shift}),
        }
        told = statements(pair, pair, "mean", "net")
        assert (
            "On test there is no significant difference between net and mean (paired sign test, p = 1.00)." in told
        ) is doubted
        assert len(told) == 1 + doubted


@pytest.mark.parametrize(("wins", "losses"), [(0, 0), (1, 0), (3, 3), (3, 4), (9, 2), (40, 61), (900, 1100)])
def test_sign_test_equals_the_binomial_test(wins: int, losses: int) -> None:
    expected = stats.binomtest(wins, wins + losses).pvalue if wins + losses else 1.0
    assert sign_test(wins, losses) == pytest.approx(expected, rel=1e-9)
    with pytest.raises(DataError, match="at least 0"):
        sign_test(-1, 2)


def test_the_first_score_ranks_and_ties_keep_the_baseline() -> None:
    lower = {
        name: TinyClassifier(model=m, epochs=2, first="log_loss")
        for name, m in (("majority", "majority"), ("net", "logistic"))
    }
    run = compare_in(None, estimators=lower)
    assert run.metrics["scores"][0] == "log_loss"
    losses = {name: model["valid"]["log_loss"] for name, model in run.metrics["models"].items()}
    assert run.metrics["best"] == min(losses, key=lambda name: losses[name])
    tied = {name: TinyClassifier(model="majority") for name in ("other", "majority")}
    assert compare_in(None, estimators=tied).metrics["best"] == "majority"


# -- equal runs, and going on -------------------------------------------------------------------------------------


def test_equal_runs_give_equal_bytes_and_other_seeds_do_not(whole: Path, tmp_path: Path) -> None:
    compare_in(tmp_path / "run")
    assert contents(tmp_path / "run") == contents(whole)
    compare_in(tmp_path / "other", seed=5)
    assert contents(tmp_path / "other")["metrics.json"] != contents(whole)["metrics.json"]


@pytest.mark.parametrize("at", [0, 1, 4, 7, 9, 12, 15])
def test_interrupted_and_resumed_is_the_same_run(whole: Path, tmp_path: Path, at: int) -> None:
    with pytest.raises(KeyboardInterrupt):
        compare_in(tmp_path / "run", on_event=Stop(at))
    assert not (tmp_path / "run" / "metrics.json").exists()
    compare_in(tmp_path / "run", resume=True)
    assert contents(tmp_path / "run") == contents(whole)


@pytest.mark.parametrize("function", WRITTEN_BY)
def test_interrupted_while_writing(whole: Path, tmp_path: Path, function: str) -> None:
    check_interrupted_while_writing(compare_in, whole, tmp_path / "run", task_module, function)


def test_killed_at_random_moments(tmp_path: Path) -> None:
    compare_in(tmp_path / "whole", epochs=60)
    hits = 0
    for seed in range(20):
        hits += killed_at_random(tmp_path / "run", 0.02 + 0.03 * seed, seed)
        if hits == 3:
            break
    assert hits  # how many depends on the machine's speed
    compare_in(tmp_path / "run", resume=(tmp_path / "run" / "run.json").is_file(), epochs=60)
    assert contents(tmp_path / "run") == contents(tmp_path / "whole")


def test_a_finished_run_is_left_as_it_is(mine: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in mine.rglob("*") if path.is_file()}
    compare_in(mine, resume=True)
    assert {path: path.stat().st_mtime_ns for path in mine.rglob("*") if path.is_file()} == before


# -- refusals -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"epochs": 4}, r"settings differ .*\(epochs was 3 and is 4\)"),
        ({"parts": parts(seed=1)}, "data differ from the interrupted run .fingerprint was"),
        ({"seed": 1}, "seed differs from the interrupted run"),
    ],
)
def test_another_run_can_not_go_on(mine: Path, changes: dict[str, Any], words: str) -> None:
    before = contents(mine), (mine / "run.json").read_bytes()
    with pytest.raises(SettingError, match=words):
        compare_in(mine, resume=True, **changes)
    assert (contents(mine), (mine / "run.json").read_bytes()) == before


def test_models_of_other_parameters_can_not_go_on(tmp_path: Path) -> None:
    models = {name: TinyClassifier(model="majority") for name in ("majority", "other")}
    models["other"].extra = (np.float64(0.5), 2)
    compare_in(tmp_path / "run", estimators=models)
    models["other"].extra = (0.5, 2)
    compare_in(tmp_path / "run", estimators=models, resume=True)
    models["other"].extra = object()
    with pytest.raises(SettingError, match=r"parameters differ .*\(other extra was"):
        compare_in(tmp_path / "run", estimators=models, resume=True)


def test_a_run_of_another_command_can_not_go_on(mine: Path) -> None:
    record = json.loads((mine / "run.json").read_text()) | {"command": "forecast"}
    (mine / "run.json").write_text(json.dumps(record))
    with pytest.raises(SettingError, match="a run of seqloom forecast, not of seqloom sequences"):
        compare_in(mine, resume=True)


def test_what_is_refused(mine: Path, tmp_path: Path) -> None:
    with pytest.raises(
        SettingError, match="baseline: expected one of the models majority, logistic, again, got 'mean'"
    ):
        compare_in(None, baseline="mean")
    with pytest.raises(SettingError, match="expected names that can be those of folders, got"):
        compare_in(None, estimators={"majority": TinyClassifier(), "../x": TinyClassifier()})
    with pytest.raises(DataError, match="test is missing"):
        compare_in(None, parts={name: part for name, part in parts().items() if name != "test"})
    mixed = {"majority": TinyClassifier(model="majority"), "net": TinyClassifier(first="f1")}
    with pytest.raises(DataError, match="net: expected 'accuracy' as the first score on valid"):
        compare_in(None, estimators=mixed)
    with pytest.raises(SettingError, match="is not empty; to go on with that run give resume=True"):
        compare_in(mine)
    with pytest.raises(FormatError, match="found no run"):
        compare_in(tmp_path / "none", resume=True)
    with folder_lock(mine), pytest.raises(RunLockedError):
        compare_in(mine, resume=True)


# -- the fingerprint ------------------------------------------------------------------------------------------------


def test_every_change_of_the_data_changes_the_fingerprint() -> None:
    x, y = parts()["train"]
    base: dict[str, Any] = {"train": (x, list(y)), "valid": ([["a", "bc"], []], None, 1)}
    seen = {fingerprint(base)}
    turned = x.copy()
    turned[3, 2, 0] = np.nextafter(turned[3, 2, 0], 9)
    for other in (
        {"train": (turned, list(y)), "valid": base["valid"]},
        {"train": (x.astype(np.float32), list(y)), "valid": base["valid"]},
        {"train": (x.reshape(96, 6, 2), list(y)), "valid": base["valid"]},
        {"train": (x, [*y[:-1], CLASSES[y[-1] == CLASSES[0]]]), "valid": base["valid"]},
        {"train": (x, list(y)), "valid": ([["a", "b"], ["c"]], None, 1)},
        {"train": (x, list(y)), "valid": ([["ab", "c"], []], None, 1)},
        {"train": (x, list(y)), "valid": ([["a", "bc"], []], None, True)},
        {"test": (x, list(y)), "valid": base["valid"]},
    ):
        seen.add(fingerprint(other))
    assert len(seen) == 9
    assert fingerprint({"train": (np.asfortranarray(x), np.array(y, object)), "valid": base["valid"]}) in seen
    with pytest.raises(DataError, match="expected arrays, texts and lists of them, got set"):
        fingerprint({"train": {1}})


def test_shares_are_told_in_percent() -> None:
    part = {
        name: Evaluation({"accuracy": value}, predictions={"actual": np.array(["a"]), "predicted": np.array(["a"])})
        for name, value in (("majority", 1 / 3), ("gru", 0.9167))
    }
    told = statements(part, part, "majority", "gru")
    assert told[0] == (
        "gru: accuracy better than majority (91.67 % against 33.33 %) on validation, better than majority "
        "(91.67 % against 33.33 %) on test."
    )

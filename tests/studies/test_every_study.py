"""What holds for every study: its quick version runs, is killed and goes on to the same results, and draws a page."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from study_runs import Killed, kill_after, without_times

from seqloom.errors import DataError, SettingError
from seqloom.studies import STUDIES, Results, StudySettings, find_study, run_study
from seqloom.studies.writing import page
from seqloom_runtime.extras import installed

QUICK = StudySettings(quick=True)
# Studies that are another data set for a program that is in the list already; those whose data no one here has are
# run on made files by test_language_studies.py.
ALIKE = {
    "nab",
    "commands",
    "sums",
    "permuted-mnist",
    "nottingham",
    "piano-midi",
    "muse",
    "ptb-chars",
    "text8",
    "wikitext-103",
    "lambada",
}
OPTIONAL = {"records"}  # whose data is made where none is brought
MADE = {"text8", "wikitext-103", "lambada"}
SPOKEN = {"digits", "commands"}
# One of each kind runs whole in the fast selection: a series, made sequences, anomalies, pairs, sentences, pictures,
# music, records, layers by their steps. Of the others one row does there, and test_jena.py, test_lstm_vs_conv.py,
# test_gradient_study.py, test_speaking.py and test_language_studies.py run their parts.
WHOLE = {"sine", "adding", "anomalies", "compare-cells", "dates", "jsb", "lenet", "ptb-words", "records", "similar"}
BRIEF = [name for name in STUDIES if name not in WHOLE | MADE | ALIKE]
NAMES = [name if name in WHOLE else pytest.param(name, marks=pytest.mark.deep) for name in STUDIES if name not in MADE]


@pytest.fixture(scope="module", params=NAMES)
def finished(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, data_dir: Path
) -> tuple[Results, Path]:
    """The quick version of a study, and its run folder."""
    if request.param in SPOKEN and not installed("kaldi_native_fbank"):
        pytest.skip("needs the extra speech")
    folder = tmp_path_factory.mktemp(request.param) / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEQLOOM_DATA", str(data_dir))
        return run_study(find_study(request.param), QUICK, directory=folder), folder


def test_names_agree() -> None:
    for name in STUDIES:
        study = find_study(name)
        assert study.name == name
        keys = [column.key for column in study.columns]
        assert len(keys) == len(set(keys))
        assert study.title
        assert study.about


@pytest.mark.parametrize("name", BRIEF)
def test_one_row_has_numbers(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data_dir: Path) -> None:
    """The first row that draws from a seed, for one of them, without charts."""
    if name in SPOKEN and not installed("kaldi_native_fbank"):
        pytest.skip("needs the extra speech")
    monkeypatch.setenv("SEQLOOM_DATA", str(data_dir))
    monkeypatch.setattr("seqloom.studies.running.write_pictures", lambda results, root: None)
    study = find_study(name)
    known = study.rows(QUICK, study.prepare(QUICK))
    row = next(row for row in known if row.seeded)
    results = run_study(study, QUICK, rows=[row.name], seeds=[3], directory=tmp_path / "run")
    (result,) = results.found.values()
    assert result.failed is None
    assert result.outcome is not None
    scores = [value for value in result.outcome.scores.values() if value is not None]
    assert scores
    assert all(math.isfinite(value) for value in scores)
    (written,) = json.loads((tmp_path / "run" / "results.json").read_text())["rows"]
    assert written["name"] == row.name


def test_every_row_has_numbers(finished: tuple[Results, Path]) -> None:
    results, folder = finished
    study = results.study
    keys = {column.key for column in study.columns} - {"parameters", "seconds", "epoch_seconds", "epochs"}
    assert [row.name for row in results.rows] == list(dict.fromkeys(row.name for row in results.rows))
    for (name, seed), result in results.found.items():
        assert result.failed is None, (name, seed, result.failed)
        assert result.outcome is not None
        assert set(result.outcome.scores) <= keys, name
        known = [value for value in result.outcome.scores.values() if value is not None]
        assert known
        assert all(math.isfinite(value) for value in known), name
        assert result.outcome.parameters is None or result.outcome.parameters >= 0
        for curve in result.outcome.curves.values():
            assert all(value is None or math.isfinite(value) for value in curve)
    for row in results.rows:
        assert set(row.published) | set(row.goals) <= keys
    assert not any(
        row.published or row.goals for row in results.rows
    )  # figures that mean nothing are held against none
    assert not any("goal" in line for line in results.sentences())
    assert results.about[0] == f"The whole study: {study.about[0]}"
    written = json.loads((folder / "results.json").read_text())
    assert [row["name"] for row in written["rows"]] == [row.name for row in results.rows]
    assert "figures mean nothing" in written["statements"][0]


def test_charts_and_page(finished: tuple[Results, Path]) -> None:
    results, folder = finished
    pictures = results.study.draw(results)
    assert pictures
    for picture in pictures:
        assert (folder / "charts" / f"{picture.name}.png").read_bytes().startswith(b"\x89PNG")
        drawn = (folder / "charts" / f"{picture.name}.svg").read_text()
        assert drawn.startswith("<svg")
        assert "var(--" not in drawn
    text = (folder / "report.html").read_text()
    assert text == page(results, pictures)
    assert "<script" not in text
    assert "src=" not in text
    assert "var(--c1)" in text


@pytest.mark.usefixtures("here")
def test_killed_and_resumed_to_the_same_results(
    finished: tuple[Results, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results, whole = finished
    drawn = results.study.name == "lenet"  # one study's charts are compared; drawing takes a second each
    if not drawn:
        monkeypatch.setattr("seqloom.studies.running.write_pictures", lambda results, root: None)
    trained = [result for result in results.found.values() if result.epoch_seconds]
    total = sum(len(result.epoch_seconds) for result in trained)
    saves = min(len(trained[0].epoch_seconds) + 1, total - 1)  # in the second row that trains, where there is one
    with pytest.raises(Killed):
        run_study(results.study, QUICK, directory=tmp_path / "run", on_event=kill_after(saves))
    torch.rand(7)  # the global stream must not matter
    run_study(results.study, QUICK, directory=tmp_path / "run", resume=True)
    assert without_times(tmp_path / "run") == without_times(whole)
    for chart in (whole / "charts").iterdir() if drawn else ():
        assert (tmp_path / "run" / "charts" / chart.name).read_bytes() == chart.read_bytes()


@pytest.mark.usefixtures("here")
def test_another_seed_gives_other_numbers(finished: tuple[Results, Path]) -> None:
    results = finished[0]
    row = next(row for row in results.rows if row.seeded)
    seed = results.seeds[0]
    again = run_study(results.study, QUICK, rows=[row.name], seeds=[seed, seed + 1])
    scores = [dict(again.found[row.name, number].outcome.scores) for number in (seed, seed + 1)]  # type: ignore[union-attr]
    assert scores[0] == results.found[row.name, seed].outcome.scores  # type: ignore[union-attr]
    assert scores[0] != scores[1]


def test_unknown_study() -> None:
    with pytest.raises(SettingError, match="Did you mean 'sine'"):
        find_study("sin")


@pytest.mark.parametrize("name", [name for name in STUDIES if name not in ALIKE and "data" in find_study(name).takes])
def test_data_that_is_not_there(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQLOOM_DATA", str(tmp_path))
    if name not in OPTIONAL:
        with pytest.raises(DataError, match=r"SEQLOOM_DATA|no such"):
            run_study(find_study(name), QUICK, directory=tmp_path / "run")
    options: dict[str, Any] = {"data": str(tmp_path / "nowhere")}
    with pytest.raises(DataError, match="nowhere"):
        run_study(find_study(name), StudySettings(quick=True, **options), directory=tmp_path / "run")
    assert not (tmp_path / "run").exists()

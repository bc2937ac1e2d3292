"""The Jena study: the baselines of the 2020 file, the settings of the original file, and its own networks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from seqloom.nn import GRU
from seqloom.studies import StudySettings, find_study, jena, run_study
from seqloom.tasks.networks import Body, BodySpec, build_body

FILE = Path("jena") / "jena_climate_2020.csv.gz"


@pytest.fixture
def weather(data_dir: Path) -> str:
    """The file of 2020."""
    path = data_dir / FILE
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    return str(path)


@pytest.mark.deep
def test_baselines_of_2020(weather: str) -> None:
    """Row by row, repeats and gap included, as a plain reader of the file would have them: .4421 and .3184."""
    results = run_study(find_study("jena"), StudySettings(data=weather), rows=["naive", "damped-persistence"])
    assert results.median("naive", "valid") == pytest.approx(0.4421, rel=0.01)
    assert results.median("naive", "test") == pytest.approx(0.3184, rel=0.01)
    windows = results.outcomes("naive")[0].details["windows"]
    assert windows[0] > 11_000
    assert windows[1] > 12_000
    assert "Keras 3 validation MAE" in results.table().headings
    assert any("not the original file" in note for note in results.remarks())


def test_original_file_has_the_original_settings_and_figures(weather: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jena, "_ORIGINAL_ROWS", 52_696)
    study, settings = find_study("jena"), StudySettings(data=weather)
    prepared = study.prepare(settings)
    assert prepared.beside == "published"
    common = prepared.data.common
    assert (common["lookback"], common["horizon"], common["split"]) == (1440, 150, "200000,100000")
    published = {row.name: row.published.get("valid") for row in study.rows(settings, prepared)}
    assert published["naive"] == 0.2897
    assert published["gru-reversed"] == 0.3990
    assert published["gru-anchored"] is None


def test_a_file_under_another_name_shows_no_figures(weather: str, tmp_path: Path) -> None:
    other = tmp_path / "mine.csv.gz"
    other.write_bytes(Path(weather).read_bytes())
    study, settings = find_study("jena"), StudySettings(data=str(other))
    assert not any(row.published for row in study.rows(settings, study.prepare(settings)))


def test_reversed_network_reads_the_window_from_its_end() -> None:
    random = torch.Generator().manual_seed(3)
    shape = BodySpec("gru", inputs=5, units=7)
    backward = jena.Composed(build_body(replace(shape, reverse=True), 1), seed=2)
    forward = jena.Composed(build_body(shape, 1), seed=2)
    x = torch.randn(4, 9, 5, generator=random)
    torch.testing.assert_close(backward(x), forward(x.flip(1)))
    assert not torch.allclose(backward(x), forward(x))


def test_composed_rows_have_the_layers_that_they_are_called_by(weather: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[BodySpec] = []

    def noted(spec: BodySpec, seed: Any) -> Body:
        made.append(spec)
        return build_body(spec, seed)

    monkeypatch.setattr(jena, "build_body", noted)
    settings = StudySettings(data=weather, quick=True, epochs=1)
    run_study(find_study("jena"), settings, rows=["gru-stacked", "gru-reversed"])
    stacked, backward = made
    assert (stacked.sizes, stacked.each_activation) == ((32, 64), ("tanh", "relu"))
    assert (stacked.input_dropout, stacked.recurrent_dropout, stacked.between_dropout) == (0.1, 0.5, 0.0)
    assert (backward.sizes, backward.reverse, backward.recurrent_dropout) == ((32,), True, 0.0)


def test_the_stacked_row_starts_as_layers_of_one_generator() -> None:
    """Its figures were made with two modules that drew their weights from one generator, one behind the other."""
    shape = BodySpec("gru", inputs=5, units=6, layers=2, stack=(4, 6), activations=("tanh", "relu"))
    body, random = build_body(shape, torch.Generator().manual_seed(9)), torch.Generator().manual_seed(9)
    twins = [GRU(5, 4, seed=random), GRU(4, 6, activation="relu", seed=random)]
    x = torch.randn(3, 8, 5, generator=torch.Generator().manual_seed(1))
    assert torch.equal(body.summary(x), twins[1](twins[0](x)[0], last_only=True)[0])


def test_stacked_network_is_two_layers_and_a_linear_one(weather: str) -> None:
    results = run_study(find_study("jena"), StudySettings(data=weather, quick=True), rows=["gru", "gru-stacked"])
    inputs = 14
    first, second = 3 * (32 * (32 + inputs) + 32), 3 * (64 * (64 + 32) + 64)
    assert results.median("gru", "parameters") == first + 33
    assert results.median("gru-stacked", "parameters") == first + second + 65


def test_convolutional_rows_have_the_textbook_sizes(weather: str) -> None:
    results = run_study(find_study("jena"), StudySettings(data=weather, quick=True), rows=["conv", "conv-gru", "tcn"])
    assert results.median("conv", "parameters") == (5 * 14 + 1) * 32 + 2 * (5 * 32 + 1) * 32 + 33
    assert results.median("conv-gru", "parameters") == 13_697
    assert {windows.spec.every for windows in results.data.prepared.values()} == {1}  # the last row's


def test_errors_are_those_of_the_forecasts(weather: str) -> None:
    results = run_study(find_study("jena"), StudySettings(data=weather, quick=True), rows=["naive"])
    data = results.data
    windows = next(iter(data.prepared.values()))
    target = data.panel.column("T (degC)")
    degrees = np.abs(target[windows.valid + 36] - target[windows.valid]).mean()
    assert results.median("naive", "valid_degrees") == pytest.approx(degrees, rel=1e-9)
    assert results.median("naive", "valid") == pytest.approx(degrees / target[:1500].std(), rel=1e-6)

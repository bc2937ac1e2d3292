"""`RecordModel`: learns, keeps to the past, resumes, saves, refuses; alarms and their scores; a stream is the batch."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from seqloom import RecordModel, load
from seqloom.diagnostics.alarm_scores import alarm_threshold, alarms_before
from seqloom.diagnostics.resampling import auc_draws
from seqloom.errors import DataError, FormatError, Interrupted, NotFittedError, SettingError
from seqloom.tasks.records import learning
from seqloom.tasks.sequences.prepared import Scale, TrainingBatches
from seqloom_runtime.data.irregular import Records, made_records
from seqloom_runtime.records import inputs
from seqloom_runtime.records.inputs import RecordScale, ages, carried, record_inputs

MODELS = ("gru-d", "gru", "lstm", "gru-forward", "prevalence")


def records(count: int = 60, seed: int = 1) -> Records:
    return made_records(count, seed=seed).records


def labelled(found: Records) -> Records:
    """The same records with a label each: whether the event comes."""
    happens = (~np.isnan(found.onset)).astype(float)  # type: ignore[arg-type]
    return replace(found, target=happens, every_step=False, onset=None, horizon=None, label="died", classes=("0", "1"))


def small(model: str = "gru-d", **options: Any) -> RecordModel:
    return RecordModel(model=model, **{"units": 4, "epochs": 2, "batch_size": 16, **options})


def test_inputs_by_hand() -> None:
    values = np.array([[np.nan, 1.0], [2.0, np.nan], [np.nan, np.nan], [4.0, 5.0]])
    times, offsets = np.array([1.0, 3.0, 7.0, 0.0]), np.array([0, 3, 4])
    np.testing.assert_array_equal(carried(values, offsets), [[np.nan, 1], [2, 1], [2, 1], [4, 5]])
    np.testing.assert_array_equal(ages(values, times, offsets), [[0, 0], [2, 2], [4, 6], [0, 0]])
    made = Records(values, times, offsets, ("a", "b"), ("p", "q"))
    scale = RecordScale.of(made)
    assert (scale.mean.tolist(), scale.std.tolist(), scale.age) == ([3, 3], [1, 2], 3.5)
    found = record_inputs(made, scale, "decay").values
    np.testing.assert_allclose(found[2], [-1, -1, 0, 0, 4 / 3.5, 6 / 3.5], rtol=1e-6)
    np.testing.assert_allclose(found[0], [0, -1, 0, 1, 0, 0], rtol=1e-6)
    assert record_inputs(made, scale, "forward").values.shape == (4, 2)
    np.testing.assert_allclose(record_inputs(made, scale, "features").values[2, 4:], np.log1p([4 / 3.5, 6 / 3.5]), 1e-6)


def test_it_learns_and_gaps_tell_something() -> None:
    train, test = records(300), records(200, seed=2)
    scores = {}
    for name in ("gru", "prevalence"):
        model = small(name, units=8, epochs=4, learning_rate=0.01).fit(train)
        scores[name] = model.evaluate(test).scores
    assert scores["prevalence"]["auc"] == 0.5
    assert scores["gru"]["auc"] > 0.7
    assert scores["gru"]["auprc"] > 1.5 * scores["prevalence"]["auprc"]
    assert 0 <= scores["gru"]["record_false_alarms"] < 0.3
    assert scores["gru"]["lead_time"] > 0


def test_a_row_weighs_the_same_whatever_the_length_of_its_record() -> None:
    """Records that the event ends are short; as batches hold like lengths, their rows must not weigh more."""
    given = records()
    examples = learning._alike(learning.examples_of(given, RecordScale.of(given), "decay"))
    batches = TrainingBatches(examples, Scale(), 8, seed=0, per_step=False)
    weights = torch.cat([next(batches)[3].flatten() for _ in range(8)])
    counted = weights[weights > 0]
    assert torch.allclose(counted, counted[0].expand_as(counted))
    asked = int((~np.isnan(given.target)).sum())  # type: ignore[arg-type]
    assert float(counted[0]) == pytest.approx(len(given) / asked)


def leak(model: RecordModel, given: Records) -> float:
    """How far the risks of earlier rows move when what comes later is changed."""
    before = model.predict(given)
    moved = 0.0
    for n in range(3):
        start, end = given.offsets[n], given.offsets[n + 1]
        half = int(start + (end - start) // 2)
        values, times = given.values.copy(), given.times.copy()
        values[half:end] = np.where(np.isnan(values[half:end]), 50.0, np.nan)
        times[half:end] += 3.0
        after = model.predict(replace(given, values=values, times=times))
        moved = max(moved, float(np.abs(after[n][: half - start] - before[n][: half - start]).max()))
    return moved


@pytest.mark.parametrize("name", MODELS)
def test_the_risk_at_a_row_hangs_on_the_past_alone(name: str) -> None:
    given = records()
    assert leak(small(name).fit(given), given) < 1e-6


def test_a_planted_look_ahead_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def backwards(values: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        """Gaps filled with the next value, as a fill in both directions would."""
        found = values.copy()
        for row in range(len(values) - 2, -1, -1):
            if row + 1 not in offsets:
                found[row] = np.where(np.isnan(found[row]), found[row + 1], found[row])
        return carried(found, offsets)

    given = records()
    monkeypatch.setattr(inputs, "carried", backwards)
    assert leak(small("gru-forward").fit(given), given) > 1e-3


def test_nothing_is_learned_from_other_records() -> None:
    """The scale is that of the training records, and validation moves no weight but by choosing the epoch."""
    train, held = records(), records(30, seed=7)
    model = small(epochs=1).fit(train, valid=held)
    far = replace(held, values=held.values * 10)
    again = small(epochs=1).fit(train, valid=far)
    np.testing.assert_array_equal(model.scale_.mean, again.scale_.mean)
    for one, other in zip(model.predict(train), again.predict(train)):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", MODELS)
def test_it_is_saved_and_streams(name: str, tmp_path: Path) -> None:
    given = records()
    model = small(name).fit(given)
    model.save(tmp_path / "model")
    loaded = load(tmp_path / "model")
    expected = model.predict(given)
    for one, other in zip(expected, loaded.predict(given)):
        np.testing.assert_array_equal(one, other)
    assert dict(loaded.evaluate(given).scores) == dict(model.evaluate(given).scores)
    assert loaded.get_params() == model.get_params()
    stream = loaded.stream()
    times, values = next(iter(given))
    risks = [stream.step(time, row) for time, row in zip(times, values)]
    np.testing.assert_allclose(risks, expected[0], atol=1e-6)
    with pytest.raises(DataError, match=r"time: expected a finite time after"):
        stream.step(times[0], values[0])
    with pytest.raises(DataError, match=r"values: expected 6 numbers"):
        stream.step(99.0, [1.0])


def test_a_label_per_record(tmp_path: Path) -> None:
    given = labelled(records())
    model = small("gru", epochs=3).fit(given)
    risk = model.predict(given)
    assert risk.shape == (60,)
    assert model.threshold_ is None
    found = model.evaluate(given)
    assert set(found.scores) == {"auc", "auprc", "log_loss", "brier", "calibration_error"}
    assert found.details["records"][0]["risk"] == [pytest.approx(risk[found.details["records"][0]["row"]])]
    model.save(tmp_path / "m")
    np.testing.assert_array_equal(load(tmp_path / "m").predict(given), risk)
    with pytest.raises(DataError, match="the label or the event"):
        model.evaluate(records())


@pytest.mark.parametrize("name", ["gru-d", "gru"])
def test_a_stopped_fit_goes_on_to_the_same_bytes(name: str, tmp_path: Path) -> None:
    given, model = records(), small(name, epochs=3, input_dropout=0.0 if name == "gru-d" else 0.2)
    model.fit(given, directory=tmp_path / "whole").save(tmp_path / "a")
    count = itertools.count()

    def stop(event: Any) -> None:
        if type(event).__name__ == "Saved" and next(count) == 1:
            raise KeyboardInterrupt

    part = small(name, epochs=3, input_dropout=0.0 if name == "gru-d" else 0.2)
    with pytest.raises((KeyboardInterrupt, Interrupted)):
        part.fit(given, directory=tmp_path / "part", on_event=stop)
    part.fit(given, directory=tmp_path / "part", resume=True).save(tmp_path / "b")
    for file in ("model.json", "model.safetensors"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_alarms_by_hand() -> None:
    risk = np.array([0.1, 0.6, 0.7, 0.2, 0.4, 0.3, 0.9])
    times = np.array([0.0, 2, 5, 0, 3, 0, 1])
    offsets, onset = np.array([0, 3, 5, 7]), np.array([4.0, np.nan, np.nan])
    assert alarm_threshold(risk, offsets, onset, 0.5) == np.nextafter(0.4, 1)
    found = alarms_before(risk, times, offsets, onset, 0.5)
    assert (found.lead_time, found.alarmed, found.record_false_alarms) == (2.0, 1.0, 0.5)
    late = alarms_before(risk, times, offsets, onset, 0.65)  # 0.7 comes behind the event
    assert (late.lead_time, late.alarmed) == (None, 0.0)
    assert alarm_threshold(risk[:3], offsets[:2], onset[:1], 0.1) is None


def test_the_bootstrap_against_plain_loops() -> None:
    draw = np.random.default_rng(0)
    truth, score = draw.random(60) < 0.3, np.round(draw.random(60), 1)
    one, other = (auc_draws(truth, values, np.arange(60) // 3, draws=200) for values in (score, -score))
    found = one - other
    area = sum((score[truth, None] > score[~truth]).ravel() + 0.5 * (score[truth, None] == score[~truth]).ravel())
    area /= truth.sum() * (~truth).sum()
    assert abs(found.mean() - (2 * area - 1)) < 0.06
    assert 0.05 < found.std() < 0.4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "gru-d", "gaps": "forward"}, "gaps: 'gru-d' stands for decay"),
        ({"model": "lstm", "gaps": "decay"}, "gaps: decay is that of gru"),
        ({"model": "gru-d", "layers": 2}, "layers: GRU-D has one layer"),
        ({"model": "gru-d", "input_dropout": 0.1}, "input_dropout: GRU-D has one layer without dropout"),
        ({"gaps": "zero"}, "gaps: expected one of decay, features, forward"),
        ({"false_alarms": 0}, "false_alarms: expected"),
        ({"model": "tcn"}, "model: expected one of gru-d, rnn, gru"),
        ({"units": 10**9}, "units"),
    ],
)
def test_choices_that_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        RecordModel(**options).fit(records(10))


def test_records_that_are_refused() -> None:
    given = records()
    with pytest.raises(NotFittedError):
        small().predict(given)
    with pytest.raises(DataError, match=r"expected seqloom\.data\.irregular\.Records, got list"):
        small().fit([])  # type: ignore[arg-type]
    quiet = given.take(np.flatnonzero(np.isnan(given.onset)))  # type: ignore[arg-type]
    with pytest.raises(DataError, match="expected rows of both kinds, no event and event, found no event alone"):
        small().fit(given, valid=quiet)
    model = small("prevalence").fit(given)
    with pytest.raises(DataError, match="expected the columns heart_rate"):
        model.predict(replace(given, columns=("a", "b", "c", "d", "e", "f")))
    with pytest.raises(DataError, match="times that are dates or clocks, as in training, got plain numbers"):
        model.predict(replace(given, unit=""))
    with pytest.raises(DataError, match="the same label or event and horizon"):
        small().fit(given, valid=replace(given, horizon=3.0))
    with pytest.raises(DataError, match="nothing says what is to be predicted"):
        small().fit(replace(given, target=None))


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body.update(unit="min"),
        lambda body: body.update(horizon=None),
        lambda body: body.update(labels=["a", "a"]),
        lambda body: body.update(threshold="high"),
        lambda body: body.update(age=0.0),
        lambda body: body.update(columns=["x"]),
        lambda body: body["network"]["body"].update(units=5),
        lambda body: body["parameters"].pop("gaps"),
    ],
)
def test_damaged_folders(change: Callable[[dict[str, Any]], Any], tmp_path: Path) -> None:
    from seqloom.tasks.loading import estimator_from
    from seqloom_runtime.model_folder import read_model

    small(epochs=1).fit(records(40)).save(tmp_path / "m")
    header, arrays = read_model(tmp_path / "m")
    body = json.loads(json.dumps(header))
    change(body)
    with pytest.raises(FormatError):
        estimator_from("records", body, arrays)

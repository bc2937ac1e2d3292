"""Averaged weights beside the sum written out, in validation, at the end and in checkpoints; the smoothed monitor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_runs import SmallNet, folder_bits, list_of_batches, train, validate, weight_bits
from torch import nn

from seqloom.errors import FormatError, SettingError
from seqloom.tasks import SequenceClassifier, load
from seqloom.tasks.forecast import Forecaster
from seqloom.training import Adam, FitSettings
from seqloom.training.checkpoint import CheckpointFolder
from seqloom.training.stopping import Monitor
from seqloom_runtime.files import read_json


def written_out(weights: list[np.ndarray], decay: float) -> Any:
    """w̄_T as the sum over all steps of what is left of each, in float64."""
    kept = np.ones(len(weights))
    for t in range(2, len(weights) + 1):
        d = min(decay, t / (t + 9))
        kept[: t - 1] *= d
        kept[t - 1] = 1 - d
    return sum(share * weight.astype(np.float64) for share, weight in zip(kept, weights))


def followed(**options: Any) -> tuple[nn.Module, list[dict[str, np.ndarray]], list[float]]:
    """A trained net, its weights after every step, and what validation saw of one weight at each epoch's end."""
    module, steps, seen = SmallNet(dropout=0.0, norm=False), [], []
    original = Adam.clipped_step

    def step(self: Any, **options: Any) -> Any:
        result = original(self, **options)
        steps.append({name: p.detach().numpy().copy() for name, p in module.named_parameters()})
        return result

    def look(net: Any) -> dict[str, float]:
        seen.append(net.second.bias.item())
        return validate(net)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Adam, "clipped_step", step)
        train(module, validate=look, monitor="loss", **options)
    return module, steps, seen


@pytest.mark.parametrize("decay", [0.3, 0.95])
def test_the_average_is_the_sum_written_out(decay: float) -> None:
    module, steps, seen = followed(average_weights=decay, keep_best=False)
    each = len(list_of_batches())
    for name, parameter in module.named_parameters():
        expected = written_out([step[name] for step in steps], decay)
        np.testing.assert_allclose(parameter.detach().numpy(), expected, rtol=1e-5, atol=1e-6)
    for epoch, value in enumerate(seen, start=1):  # validation sees the average, training goes on from the weights
        expected = written_out([step["second.bias"] for step in steps[: epoch * each]], decay)
        assert value == pytest.approx(expected.item(), rel=1e-5, abs=1e-6)
    without = followed(keep_best=False)[1]
    for one, other in zip(steps, without):
        np.testing.assert_array_equal(one["first.weight"], other["first.weight"])


def test_the_best_epoch_s_average_is_what_is_kept() -> None:
    module, steps, _ = followed(average_weights=0.8, epochs=6, learning_rate=0.3)
    history = train(
        SmallNet(dropout=0.0, norm=False), validate=validate, average_weights=0.8, epochs=6, learning_rate=0.3
    )
    best = history[1].best_epoch
    assert best is not None
    upto = best * len(list_of_batches())
    expected = written_out([step["first.weight"] for step in steps[:upto]], 0.8)
    np.testing.assert_allclose(
        dict(module.named_parameters())["first.weight"].detach().numpy(), expected, rtol=1e-5, atol=1e-6
    )
    assert validate(module)["loss"] == history[1].best_value


def test_a_run_without_it_writes_what_it_wrote_before(tmp_path: Path) -> None:
    train(directory=tmp_path, validate=validate)
    newest = max(tmp_path.glob("step-*.json"))
    values = read_json(newest)
    assert not {"smooth_monitor", "average_weights"} & set(values["settings"])
    assert "smoothed" not in values["monitor"]
    checkpoint = CheckpointFolder(tmp_path).read()
    assert checkpoint is not None
    assert not checkpoint.part("average")


def test_a_finished_run_gives_the_averages_again(tmp_path: Path) -> None:
    options: dict[str, Any] = {"average_weights": 0.9, "keep_best": False, "directory": tmp_path}
    one = train(**options)[0]
    before = folder_bits(tmp_path)
    two = train(SmallNet(4), **options, resume=True)[0]
    assert weight_bits(one) == weight_bits(two)
    assert folder_bits(tmp_path) == before
    with pytest.raises(SettingError, match=r"average_weights was 0.9 and is now 0.8"):
        train(**{**options, "average_weights": 0.8}, resume=True)
    with pytest.raises(SettingError, match=r"average_weights was 0.9 and is now not set"):
        train(**{**options, "average_weights": None}, resume=True)


def test_averages_of_other_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train(average_weights=0.9, directory=tmp_path)
    read = CheckpointFolder.read

    def without(self: CheckpointFolder) -> Any:
        checkpoint = read(self)
        assert checkpoint is not None
        del checkpoint.tensors["average/first.weight"]
        return checkpoint

    monkeypatch.setattr(CheckpointFolder, "read", without)
    with pytest.raises(FormatError, match="averaged weights are not those"):
        train(average_weights=0.9, directory=tmp_path, resume=True)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("average_weights", 1.0, "average_weights: expected a number below 1, got 1.0"),
        ("average_weights", 0.0, "average_weights: expected a finite number above 0"),
        ("smooth_monitor", 1, "smooth_monitor: expected a number below 1, got 1"),
        ("smooth_monitor", -0.1, "smooth_monitor: expected a finite number of at least 0"),
    ],
)
def test_impossible_values_are_refused(name: str, value: float, words: str) -> None:
    options: dict[str, Any] = {name: value}
    with pytest.raises(SettingError, match=words):
        FitSettings(**options)


def test_a_smoothed_monitor_waits_through_one_bad_epoch_and_stops_after_a_lucky_one() -> None:
    """One value that is low by chance resets the count of a bare monitor, and hides a slow fall from then on."""
    values = [1.0, 0.9, 0.4, 0.8, 0.7, 0.6, 0.55, 0.5]

    def stops(**options: Any) -> tuple[int | None, int | None]:
        watch = Monitor(FitSettings(patience=3, **options))
        for epoch, value in enumerate(values, start=1):
            watch.update(epoch, value)
            if watch.stop:
                return epoch, watch.best_epoch
        return None, watch.best_epoch

    assert stops() == (6, 3)
    assert stops(smooth_monitor=0.6) == (None, 3)
    smooth = Monitor(FitSettings(smooth_monitor=0.6))
    for epoch, value in enumerate(values, start=1):
        smooth.update(epoch, value)
    infinite = Monitor(FitSettings(patience=2, smooth_monitor=0.6))
    for epoch, value in enumerate([float("inf"), 3.0, 2.0, 1.0], start=1):
        infinite.update(epoch, value)
        assert not infinite.stop
    expected = values[0]
    for value in values[1:]:
        expected = 0.6 * expected + 0.4 * value
    assert smooth.state()["smoothed"] == pytest.approx(expected)
    again = Monitor(FitSettings(smooth_monitor=0.6))
    again.restore(smooth.state())
    assert again.update(9, 0.1) == smooth.update(9, 0.1)
    assert again.state() == smooth.state()


def test_estimators_take_it_save_it_and_forecast_from_it(tmp_path: Path) -> None:
    wave = np.sin(np.arange(150) / 3) + 0.1 * np.random.default_rng(0).normal(size=150)
    common: dict[str, Any] = {"model": "gru", "lookback": 8, "horizon": 2, "units": 4, "epochs": 3, "levels": (80,)}
    averaging: dict[str, Any] = {**common, "average_weights": 0.9}
    plain = Forecaster(**common).fit(wave, target="column_0")
    averaged = Forecaster(**averaging).fit(wave, target="column_0")
    assert not np.array_equal(plain.forecast().values, averaged.forecast().values)
    averaged.save(tmp_path / "model")
    again = load(tmp_path / "model")
    assert again.get_params()["average_weights"] == 0.9
    np.testing.assert_array_equal(again.forecast().values, averaged.forecast().values)
    refitted = Forecaster(**averaging, refit=True).fit(wave, target="column_0")
    assert np.isfinite(refitted.forecast().values).all()

    x = np.random.default_rng(1).normal(size=(30, 5, 2))
    labels = np.where(x.sum(axis=(1, 2)) > 0, "up", "down")
    chosen: list[dict[str, Any]] = [{}, {"average_weights": 0.9, "smooth_monitor": 0.5, "patience": 2}]
    shares = [
        SequenceClassifier(model="gru", units=4, epochs=2, **extra).fit(x, labels).predict_proba(x) for extra in chosen
    ]
    assert not np.array_equal(shares[0], shares[1])

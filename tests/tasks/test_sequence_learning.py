"""What is learned: losses by hand, steps that don't count, class weights, scaling, resume, better than baselines."""

from __future__ import annotations

import multiprocessing
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sequence_cases import fitted, made, targets, walks, weight_bits

from seqloom import FrameModel, SequenceClassifier, SequenceRegressor
from seqloom.errors import DataError, SettingError
from seqloom.tasks.sequences.coding import BinaryCoding, ClassCoding, NumberCoding
from seqloom.tasks.sequences.prepared import Examples, Scale, TrainingBatches, make_batch
from seqloom.tasks.sequences.splitting import hold_out
from seqloom.training import Saved
from seqloom_runtime.data.sequences import Sequences, adding_problem


class Given(torch.nn.Module):
    """A network whose outputs are given: those of the rows that x numbers."""

    def __init__(self, outputs: torch.Tensor) -> None:
        super().__init__()
        self.outputs = outputs

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        return self.outputs[x[..., 0].long()]


def frame_examples(lengths: list[int], target: np.ndarray, weight: np.ndarray) -> Examples:
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    numbers = np.arange(offsets[-1], dtype=np.float64)[:, None]
    return Examples(Sequences(numbers, offsets), target, weight.astype(np.float32), True)


@pytest.mark.parametrize("per_step", [True, False])
def test_the_many_to_many_loss_by_hand(per_step: bool) -> None:
    """Ignored labels count nothing; the sum over steps, averaged over sequences, or the mean over all steps."""
    rng = np.random.default_rng(0)
    lengths, logits = [4, 2, 5], rng.normal(size=(11, 3))
    labels = np.array([0, 2, -1, 1, 1, 0, -1, 2, 2, -1, 0])
    each = [-np.log(np.exp(row[label]) / np.exp(row).sum()) for row, label in zip(logits, labels) if label >= 0]
    expected = np.mean(each) if per_step else np.sum(each) / 3
    examples = frame_examples(lengths, np.where(labels < 0, 0, labels), labels >= 0)
    batch = make_batch(examples, Scale(), np.array([2, 0, 1]), per_step=per_step)
    found = ClassCoding(np.arange(3)).batch_loss(Given(torch.from_numpy(logits)), batch)
    assert found.item() == pytest.approx(expected, rel=1e-6)


def test_value_and_binary_losses_by_hand() -> None:
    rng = np.random.default_rng(1)
    output, number = rng.normal(size=(5, 2)), rng.normal(2, 3, size=(5, 2))
    examples = frame_examples([2, 3], np.zeros(5), np.array([1, 0, 1, 1, 1]))
    kept = [0, 2, 3, 4]
    error = output - (number - 2) / 3
    by_hand = {
        "mse": np.square(error),
        "mae": np.abs(error),
        "huber": np.where(abs(error) <= 1, np.square(error) / 2, abs(error) - 0.5),
    }
    for loss, values in by_hand.items():
        coding = NumberCoding(2, False, Scale(np.array([2.0, 2.0]), np.array([3.0, 3.0])), loss)
        batch = make_batch(replace(examples, target=coding.encode(number)), Scale(), np.array([0, 1]))
        found = coding.batch_loss(Given(torch.from_numpy(output)), batch)
        assert found.item() == pytest.approx(values[kept].mean(), rel=1e-6)
        np.testing.assert_allclose(coding.values(coding.encode(number)), number, rtol=1e-6)
    yes = (rng.random((5, 2)) < 0.5).astype(np.float64)
    p = 1 / (1 + np.exp(-output))
    nll = -(yes * np.log(p) + (1 - yes) * np.log(1 - p)).sum(axis=1)
    binary = BinaryCoding(2)
    batch = make_batch(replace(examples, target=binary.encode(yes)), Scale(), np.array([0, 1]))
    found = binary.batch_loss(Given(torch.from_numpy(output)), batch)
    assert found.item() == pytest.approx(nll[kept].mean(), rel=1e-6)
    np.testing.assert_allclose(binary.probabilities(output), p, rtol=1e-12)


def test_a_batch_split_over_processes_has_the_loss_of_the_whole() -> None:
    """The mean over rows weighted by their share, as data-parallel training takes it."""
    rng = np.random.default_rng(3)
    lengths = [4, 2, 5, 3]
    examples = frame_examples(lengths, rng.integers(0, 3, 14), rng.random(14) < 0.7)
    batch = make_batch(examples, Scale(), np.arange(4))
    coding, network = ClassCoding(np.arange(3)), Given(torch.from_numpy(rng.normal(size=(14, 3))))
    whole = coding.batch_loss(network, batch).item()
    parts = [tuple(None if part is None else part[rows] for part in batch) for rows in (slice(0, 1), slice(1, 4))]
    shares = [coding.batch_loss(network, part).item() for part in parts]  # type: ignore[arg-type]
    assert whole == pytest.approx(0.25 * shares[0] + 0.75 * shares[1], rel=1e-6)


def test_batches_hold_scaled_sequences_with_their_targets() -> None:
    x = walks(23, seed=3)
    sequences = Sequences.make(x)
    scale = Scale(*sequences.moments())
    examples = Examples(sequences, np.arange(23), np.ones(23, dtype=np.float32), False)
    batches = TrainingBatches(examples, scale, 5, seed=9)
    whole = np.concatenate(x)
    seen = []
    for _ in range(5):
        values, mask, y, weight = next(batches)
        assert values.dtype == torch.float32
        assert weight.sum().item() == pytest.approx(len(y))
        for row, number in enumerate(y.tolist()):
            expected = (x[number] - whole.mean(axis=0)) / whole.std(axis=0)
            np.testing.assert_allclose(values[row, : len(expected)], expected, rtol=1e-5, atol=1e-6)
            assert mask is None or mask[row].sum() == len(expected)
            assert (values[row, len(expected) :] == 0).all()
        seen += y.tolist()
    assert sorted(seen) == list(range(23))


def test_score_last_and_ignored_steps_change_nothing_else() -> None:
    """Targets that don't count may be anything: the same weights come out."""
    x = walks(20, equal=True)
    y = targets("values", x)
    first = made("values", score_last=4).fit(x, y)
    changed = y.copy()
    changed[:, :-4] = 1e6
    assert weight_bits(made("values", score_last=4).fit(x, changed)) == weight_bits(first)
    changed[:, :-4] = np.nan
    assert weight_bits(made("values").fit(x, changed)) == weight_bits(first)
    assert weight_bits(made("values").fit(x, y)) != weight_bits(first)
    scores = first.evaluate(x, y)
    assert scores.scores == first.evaluate(x, changed).scores
    assert len(scores.predictions["row"]) == 20 * 4
    assert scores.predictions["step"].tolist()[:4] == [8, 9, 10, 11]
    labels = targets("labels", x)
    ignored = labels.copy()
    ignored[:, ::2] = -1
    model = made("labels").fit(x, ignored)
    assert model.classes_.tolist() == [0, 1]
    assert weight_bits(model) != weight_bits(made("labels").fit(x, labels))
    assert len(model.evaluate(x, ignored).predictions["row"]) == 20 * 6


def test_class_weights() -> None:
    x = walks(60, seed=2)
    y = np.array(["rare"] * 6 + ["often"] * 54)
    plain = made("classifier", validation_fraction=0.0).fit(x, y)
    balanced = made("classifier", validation_fraction=0.0, class_weight="balanced").fit(x, y)
    given = made("classifier", validation_fraction=0.0, class_weight={"rare": 5.0, "often": 60 / 108}).fit(x, y)
    named = made("classifier", validation_fraction=0.0, class_weight={"rare": 9.0}).fit(x, y)
    assert weight_bits(balanced) == weight_bits(given)
    assert weight_bits(balanced) != weight_bits(plain)
    assert balanced.predict_proba(x)[:, 1].mean() > plain.predict_proba(x)[:, 1].mean() + 0.05
    assert weight_bits(named) != weight_bits(plain)
    with pytest.raises(SettingError, match="class_weight: 'never' is none of the classes"):
        made("classifier", class_weight={"never": 2.0}).fit(x, y)


def test_class_weights_survive_saving_with_labels_that_are_no_texts(tmp_path: Path) -> None:
    import seqloom

    x = walks(12)
    made("classifier", class_weight={0: 2.0, 1: 1.0}).fit(x, np.arange(12) % 2).save(tmp_path / "m")
    again = seqloom.load(tmp_path / "m")
    assert again.class_weight == {0: 2.0, 1: 1.0}
    assert again.classes_.dtype == np.int64
    for labels in (np.arange(12) % 2 == 0, np.array(["a", "b"] * 6)):
        made("classifier").fit(x, labels).save(tmp_path / "m")
        again = seqloom.load(tmp_path / "m")
        assert again.classes_.tolist() == np.unique(labels).tolist()
        assert again.predict(x).dtype.kind == labels.dtype.kind


def test_scalers_see_training_sequences_alone() -> None:
    x, y = walks(40), targets("regressor", walks(40))
    train, valid = hold_out(40, 0.2, 0)
    assert len(valid) == 8
    estimator = made("regressor").fit(x, y)
    moved = [item + 1000.0 if n in valid else item for n, item in enumerate(x)]
    other = made("regressor").fit(moved, np.where(np.isin(np.arange(40), valid), 1e5, y))
    whole = np.concatenate([x[n] for n in train])
    for one in (estimator, other):
        np.testing.assert_allclose(one.scale_.mean, whole.mean(axis=0), rtol=1e-12)
        np.testing.assert_allclose(one.coding_.scale.std, y[train].std(), rtol=1e-12)
    separate = made("regressor").fit(x, y, valid=(moved, y * 50))
    np.testing.assert_allclose(separate.scale_.mean, np.concatenate(x).mean(axis=0), rtol=1e-12)
    assert made("regressor", scaling="none", target_scaling="none").fit(x, y).scale_.mean is None


def test_what_is_held_out() -> None:
    groups = np.array([0] * 90 + [1] * 9 + [2])
    for seed in range(5):
        train, valid = hold_out(100, 0.2, seed, groups)
        assert sorted([*train, *valid]) == list(range(100))
        counts = np.bincount(groups[valid], minlength=3)
        assert abs(counts[0] - 18) <= 1
        assert abs(counts[1] - 1.8) <= 1
        assert counts[2] == 0
        assert set(groups[train]) == {0, 1, 2}
    assert hold_out(100, 0.2, 0)[1].tolist() != hold_out(100, 0.2, 1)[1].tolist()
    with pytest.raises(SettingError, match="leaves none to train on"):
        hold_out(1, 0.5, 0)
    with pytest.raises(SettingError, match="every class has a single sequence"):
        hold_out(3, 0.4, 0, np.arange(3))


def test_valid_is_checked() -> None:
    x, y = walks(12), targets("classifier", walks(12))
    for valid, words in (
        ((walks(3, channels=3), y[:3]), "valid X: expected 2 channels"),
        ((walks(3), y[:2]), "valid y: expected 3 labels"),
        ((walks(3), ["sideways"] * 3), r"valid y\[0\]: the label 'sideways' is not among"),
        (walks(3), r"valid: expected a pair \(X, y\)"),
    ):
        with pytest.raises((DataError, SettingError), match=words):
            made("classifier").fit(x, y, valid=valid)


def _train(folder: Path, kill_after: int | None, resume: bool) -> Any:
    saved = 0

    def on_event(event: Any) -> None:
        nonlocal saved
        saved += isinstance(event, Saved)
        if kill_after is not None and saved == kill_after:
            os.kill(os.getpid(), signal.SIGKILL)

    x = walks(30)
    estimator = made("labels", epochs=5, input_dropout=0.3, between_dropout=0.2, layers=2)
    return estimator.fit(x, targets("labels", x), directory=folder, resume=resume, on_event=on_event)


def _child(folder: Path) -> None:
    torch.set_num_threads(1)
    _train(folder, 2, False)


def test_a_killed_run_resumes_to_the_same_bytes(tmp_path: Path) -> None:
    context: Any = multiprocessing.get_context("forkserver")
    process = context.Process(target=_child, args=(tmp_path / "killed",))
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL
    whole = _train(tmp_path / "whole", None, False)
    resumed = _train(tmp_path / "killed", None, True)
    assert weight_bits(resumed) == weight_bits(whole)
    assert resumed.history_ == whole.history_
    assert len(whole.history_.epochs) == 5
    x = walks(30, seed=1)
    from seqloom.errors import FormatError

    with pytest.raises((FormatError, SettingError)):
        made("labels", epochs=5, layers=2).fit(x, targets("labels", x), directory=tmp_path / "killed", resume=True)


@pytest.mark.parametrize("model", ["rnn", "gru", "lstm"])
def test_recurrent_models_beat_the_baselines(model: str) -> None:
    """Which channel's first value is larger, told eight steps later."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 8, 2))
    y = np.where(x[:, 0, 0] > x[:, 0, 1], "left", "right")
    settings: dict[str, Any] = {"units": 12, "epochs": 25, "batch_size": 20, "learning_rate": 0.02}
    fresh = rng.normal(size=(200, 8, 2))
    truth = np.where(fresh[:, 0, 0] > fresh[:, 0, 1], "left", "right")
    learned = SequenceClassifier(model=model, **settings).fit(x, y).evaluate(fresh, truth).scores
    naive = SequenceClassifier(model="majority").fit(x, y).evaluate(fresh, truth).scores
    assert learned["accuracy"] > naive["accuracy"] + 0.25
    assert learned["log_loss"] < naive["log_loss"]


def test_regression_and_frames_beat_their_baselines() -> None:
    x, y = adding_problem(400, 6, seed=1)
    fresh, truth = adding_problem(200, 6, seed=2)
    settings: dict[str, Any] = {"units": 16, "epochs": 40, "batch_size": 20, "learning_rate": 0.02}
    learned = SequenceRegressor(**settings).fit(x, y).evaluate(fresh, truth).scores
    for baseline in ("mean", "last"):
        naive = SequenceRegressor(model=baseline).fit(x, y).evaluate(fresh, truth).scores
        assert learned["mse"] < 0.25 * naive["mse"]
    assert SequenceRegressor(model="mean").fit(x, y).evaluate(fresh, truth).scores["mse"] == pytest.approx(
        1 / 6, rel=0.2
    )
    walk, test = walks(60, equal=True), walks(60, equal=True, seed=5)
    for task in ("labels", "values", "binary"):
        naive_model = "majority" if task == "labels" else "mean"
        scored = [
            made(task, **{**settings, "model": model})
            .fit(walk, targets(task, walk))
            .evaluate(test, targets(task, test))
            for model in ("gru", naive_model)
        ]
        assert scored[0].better(scored[0].scores[scored[0].first], scored[1].scores[scored[1].first])


def test_baselines_by_hand() -> None:
    x = [np.array([[1.0], [2.0]]), np.array([[3.0], [5.0], [4.0]]), np.array([[0.0]])]
    regressor = SequenceRegressor(model="last").fit(x, [1.0, 2.0, 3.0])
    assert regressor.predict(x).tolist() == pytest.approx([2.0, 4.0, 0.0])
    assert regressor.n_parameters_ == 0
    mean = SequenceRegressor(model="mean", validation_fraction=0.0).fit(x, [1.0, 2.0, 6.0])
    assert mean.predict(x).tolist() == pytest.approx([3.0] * 3)
    classifier = SequenceClassifier(model="majority", validation_fraction=0.0).fit(x, ["a", "b", "b"])
    assert classifier.predict_proba(x)[0].tolist() == pytest.approx([2 / 5, 3 / 5])
    frames = FrameModel(model="last", kind="value", validation_fraction=0.0).fit(x, x)
    assert np.concatenate(frames.predict(x)).ravel().tolist() == pytest.approx([1, 2, 3, 5, 4, 0])
    rolls = [np.array([[0.0], [1.0], [1.0], [0.0]]), np.array([[1.0], [1.0]])]
    nexts = [np.array([[1.0], [1.0], [0.0], [0.0]]), np.array([[1.0], [1.0]])]
    held = FrameModel(model="last", kind="binary", validation_fraction=0.0).fit(rolls, nexts)
    # After a 0: one yes and one no, so 2 in 4; after a 1: three yes and one no, so 4 in 6.
    assert np.concatenate(held.predict_proba(rolls)).ravel().tolist() == pytest.approx(
        [1 / 2, 2 / 3, 2 / 3, 1 / 2, 2 / 3, 2 / 3]
    )
    share = FrameModel(model="mean", kind="binary", validation_fraction=0.0).fit(rolls, nexts)
    assert np.concatenate(share.predict_proba(rolls)).ravel().tolist() == pytest.approx([5 / 8] * 6)


def test_classes_may_be_given() -> None:
    x = walks(10, equal=True)
    y = targets("labels", x)
    model = made("labels", classes=range(10)).fit(x, y)
    assert model.classes_.tolist() == list(range(10))
    assert model.predict_proba(x).shape == (10, 12, 10)
    assert model.evaluate(x, y).scores["accuracy"] > 0
    with pytest.raises(DataError, match="the label 1 is not among"):
        made("labels", classes=[0, 7]).fit(x, y)


def test_scores_of_binary_frames_by_hand() -> None:
    x = walks(8, equal=True)
    y = targets("binary", x)
    model = made("binary").fit(x, y)
    p = model.predict_proba(x)
    scores = model.evaluate(x, y).scores
    nll = -(y * np.log(p) + (1 - y) * np.log(1 - p)).sum(axis=2).mean()
    assert scores["nll"] == pytest.approx(nll, rel=1e-6)
    assert scores["accuracy"] == pytest.approx(((p > 0.5) == y).mean())
    assert model.score(x, y) == pytest.approx(scores["accuracy"])
    both = ((p > 0.5) & (y > 0)).sum()
    assert scores["f1"] == pytest.approx(2 * both / ((p > 0.5).sum() + y.sum()))


def test_regression_of_several_targets() -> None:
    x = walks(30)
    y = np.array([[item[-1, 0], 10 * item[-1, 1] + 5] for item in x])
    model = made("regressor", epochs=5).fit(x, y)
    assert model.predict(x).shape == (30, 2)
    evaluation = model.evaluate(x, y)
    assert len(evaluation.predictions["target"]) == 60
    error = model.predict(x) - y
    assert evaluation.scores["mae"] == pytest.approx(np.abs(error).mean())
    shares = 1 - np.square(error).sum(axis=0) / np.square(y - y.mean(axis=0)).sum(axis=0)
    assert model.score(x, y) == pytest.approx(shares.mean())
    with pytest.raises(DataError, match="y: expected 2 targets, as were learned, got 3"):
        model.evaluate(x, np.zeros((30, 3)))


def test_stop_ends_the_training(tmp_path: Path) -> None:
    x = walks(20)
    model = made("regressor", epochs=9).fit(x, targets("regressor", x), stop=lambda row: row.epoch == 2)
    assert len(model.history_.epochs) == 2


def test_history_and_notes_say_what_was_done() -> None:
    model = fitted("classifier", epochs=3)
    assert [row.valid.keys() >= {"loss", "accuracy"} for row in model.history_.epochs] == [True] * 3
    assert model.notes_[0].startswith("32 sequences of ")
    assert "8 others choose the best epoch" in model.notes_[0]
    alone = fitted("classifier", epochs=3, validation_fraction=0.0)
    assert "40 sequences" in alone.notes_[0]
    assert "the training loss chooses" in alone.notes_[0]
    assert not alone.history_.epochs[0].valid


@pytest.mark.parametrize("model", ["tcn", "conv", "conv-gru"])
def test_convolutional_models_beat_the_baselines(model: str) -> None:
    """Whether a bump of three steps stands anywhere in the noise."""
    rng = np.random.default_rng(0)

    def bumps(count: int) -> tuple[np.ndarray, np.ndarray]:
        x = rng.normal(0, 0.5, size=(count, 16, 1))
        there = rng.random(count) < 0.5
        for row in np.flatnonzero(there):
            start = rng.integers(0, 14)
            x[row, start : start + 3, 0] += [1.5, 3.0, 1.5]
        return x, np.where(there, "bump", "none")

    settings: dict[str, Any] = {"units": 8, "epochs": 15, "batch_size": 20, "learning_rate": 0.01, "kernel_size": 3}
    learned = SequenceClassifier(model=model, pooling="max", **settings).fit(*bumps(200)).evaluate(*bumps(200)).scores
    assert learned["accuracy"] > 0.85
    pooled = made("classifier", model=model, pool_size=1 if model == "tcn" else 2, epochs=1).fit(*bumps(20))
    assert pooled.predict(bumps(3)[0]).shape == (3,)


def test_a_tcn_takes_as_many_levels_as_the_sequences_need() -> None:
    x = walks(12, equal=True, longest=60)
    y = targets("regressor", x)
    for kernel_size, levels in ((2, 5), (3, 4), (8, 3), (40, 1)):
        model = made("regressor", model="tcn", kernel_size=kernel_size, epochs=1).fit(x, y)
        assert model.model_.spec.body.channels == (6,) * levels
        assert len(model.notes_) == 1
    short = made("regressor", model="tcn", kernel_size=3, levels=2, epochs=1).fit(x, y)
    assert "an answer sees the last 13 steps of up to 60; more levels" in short.notes_[1]
    long = made("regressor", model="tcn", kernel_size=3, levels=7, epochs=1).fit(x, y)
    assert "could see 509 steps, more than the 60 that there are; with one level less" in long.notes_[1]
    plain = made("values", model="conv", epochs=1).fit(x, targets("values", x))
    assert plain.model_.spec.body.dilations == (1, 1, 1, 1)
    assert "an answer sees the last 17 steps of up to 60" in plain.notes_[1]
    for quiet in ({"pooling": "max"}, {"model": "conv-gru"}, {"channels": [3, 5, 7], "dilation": 6}):
        model = made("regressor", **{"model": "conv", "epochs": 1, **quiet}).fit(x, y)
        assert len(model.notes_) == 1
    assert model.model_.spec.body.channels == (3, 5, 7)
    assert model.model_.spec.body.dilations == (1, 6, 36)


def test_what_does_not_go_together_is_refused() -> None:
    x = walks(8)
    for change, words in (
        ({"model": "tcn", "pool_size": 2}, "pool_size: a tcn keeps every step"),
        ({"model": "conv", "bidirectional": True}, "bidirectional: 'conv' reads forward only"),
        ({"model": "conv", "activation": "prelu"}, "activation: expected one of"),
        ({"model": "conv", "dilation": 7, "levels": 30}, "dilation: 7 over 30 levels"),
        ({"seed": 2**63}, "seed: expected a whole number of at least 0"),
    ):
        estimator = fitted("regressor", epochs=1)
        with pytest.raises(SettingError, match=words):
            estimator.set_params(**change).fit(x, targets("regressor", x))
        assert len(estimator.predict(x)) == 8  # refused before anything was forgotten

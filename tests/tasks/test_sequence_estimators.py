"""One battery for every estimator of sequences with every model: shapes, masks, order, seeds, manners, files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sequence_cases import ALL, TASKS, answers, fitted, made, targets, walks, weight_bits
from sklearn.base import clone
from sklearn.exceptions import NotFittedError as SklearnNotFitted
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.utils.validation import check_is_fitted

import seqloom
from seqloom.errors import DataError, NotFittedError, SettingError, TrainingError
from seqloom_runtime.data.sequences import Sequences


def learned(estimator: Any) -> set[str]:
    return {name for name in vars(estimator) if name.endswith("_")}


@pytest.mark.parametrize(("task", "model"), ALL)
def test_every_sequence_is_answered_as_it_is_alone(task: str, model: str) -> None:
    """Padding and the order of a batch change nothing: masks equal truncation, and permuting permutes."""
    estimator = fitted(task, model)
    x = walks(17, seed=4)
    found = answers(estimator, x)
    assert len(found) == 17
    for row, answer in zip(x, found):
        assert answer.shape[:1] == (len(row),) if task in ("values", "labels", "binary") else answer.ndim <= 1
        np.testing.assert_allclose(answers(estimator, [row])[0], answer, rtol=1e-5, atol=1e-6)
    order = np.random.default_rng(1).permutation(17)
    again = answers(estimator, [x[n] for n in order])
    for place, n in enumerate(order):
        np.testing.assert_allclose(again[place], found[n], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("task", "model"), ALL)
def test_the_seed_alone_decides_and_a_saved_model_answers_alike(task: str, model: str, tmp_path: Path) -> None:
    one, two = fitted(task, model, equal=True), fitted(task, model, equal=True)
    assert weight_bits(one) == weight_bits(two)
    x = walks(9, equal=True, seed=8)
    one.save(tmp_path / "model")
    again = seqloom.load(tmp_path / "model")
    assert type(again) is type(one)
    assert again.get_params() == one.get_params()
    assert (again.notes_, again.n_parameters_, again.lengths_) == (one.notes_, one.n_parameters_, one.lengths_)
    assert [a.tobytes() for a in answers(again, x)] == [a.tobytes() for a in answers(one, x)]
    again.save(tmp_path / "copy")
    for name in ("model.json", "model.safetensors"):
        assert (tmp_path / "copy" / name).read_bytes() == (tmp_path / "model" / name).read_bytes()
    if model in ("rnn", "gru", "lstm"):
        assert weight_bits(fitted(task, model, equal=True, seed=1)) != weight_bits(one)
        assert one.n_parameters_ == sum(p.numel() for p in one.model_.network.parameters())


def test_a_fresh_process_gives_the_same_bytes(tmp_path: Path) -> None:
    x = walks(9, equal=True, seed=8)
    np.save(tmp_path / "x.npy", x)
    expected = {}
    for task in TASKS:
        estimator = fitted(task)
        estimator.save(tmp_path / task)
        expected[task] = np.concatenate([a.ravel() for a in answers(estimator, x)]).tobytes().hex()
    code = (
        "import sys, pathlib, numpy as np, torch\n"
        "torch.set_num_threads(1)\n"
        "import seqloom\n"
        "root = pathlib.Path(sys.argv[1])\n"
        "x = np.load(root / 'x.npy')\n"
        f"for task in {TASKS!r}:\n"
        "    e = seqloom.load(root / task)\n"
        "    says = e.predict if task in ('regressor', 'values') else e.predict_proba\n"
        "    print(task, np.concatenate([np.asarray(a).ravel() for a in says(x)]).tobytes().hex())\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert dict(line.split() for line in done.stdout.splitlines()) == expected


@pytest.mark.parametrize("task", TASKS)
def test_manners(
    task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    estimator = made(task)
    for call in (lambda: estimator.predict([[1.0]]), lambda: estimator.save("x"), lambda: estimator.evaluate([], [])):
        with pytest.raises(NotFittedError, match="is not fitted yet: call fit first"):
            call()
    with pytest.raises(SklearnNotFitted):
        check_is_fitted(estimator)
    before, x = estimator.get_params(), walks()
    assert not learned(estimator)
    assert estimator.fit(x, targets(task, x)) is estimator
    check_is_fitted(estimator)
    assert estimator.get_params() == before
    assert {name for name in vars(estimator) if not name.endswith("_")} == set(before)
    copy: Any = clone(estimator)
    assert not learned(copy)
    assert weight_bits(copy.fit(x, targets(task, x))) == weight_bits(estimator)
    assert repr(made(task, units=9)) == repr(estimator).replace("units=6", "units=9")
    estimator.predict(x)
    estimator.evaluate(x, targets(task, x))
    assert capsys.readouterr() == ("", "")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("task", TASKS)
def test_a_failed_fit_leaves_nothing_half_fitted(task: str) -> None:
    estimator = fitted(task)
    x = walks()
    with pytest.raises(DataError):
        estimator.fit(x, targets(task, x)[:-1])
    assert len(estimator.predict(x)) == 40  # refused before anything was forgotten
    estimator.set_params(learning_rate=1e30, optimizer="sgd", clip_norm=None, activation="relu")
    if task == "regressor":
        with pytest.raises(TrainingError):
            estimator.set_params(model="rnn").fit(x, targets(task, x))
        assert not learned(estimator)


@pytest.mark.parametrize("as_list", [False, True])
@pytest.mark.parametrize("task", ["classifier", "regressor"])
def test_scikit_learn_s_tools_take_arrays_and_lists(task: str, as_list: bool) -> None:
    x = walks(30, equal=not as_list)
    y = targets(task, x)
    estimator = made(task, epochs=1)
    scores = cross_val_score(estimator, x, y, cv=3)
    assert scores.shape == (3,)
    assert np.isfinite(scores).all()
    search = GridSearchCV(estimator, {"units": [2, 5]}, cv=2).fit(x, y)
    assert search.best_params_["units"] in (2, 5)
    assert len(search.predict(x)) == 30


def test_folds_keep_the_classes_shares() -> None:
    from sklearn.base import is_classifier, is_regressor

    assert is_classifier(made("classifier"))
    assert is_regressor(made("regressor"))
    assert not is_classifier(made("labels"))


@pytest.mark.parametrize("task", TASKS)
def test_lists_arrays_and_sequences_are_the_same_data(task: str) -> None:
    x = walks(12, equal=True)
    estimator = fitted(task, equal=True)
    expected = answers(estimator, x)
    for other in (list(x), Sequences.make(x), x.tolist()):
        for one, two in zip(answers(estimator, other), expected, strict=True):
            np.testing.assert_array_equal(one, two)
    if task in ("values", "labels", "binary"):
        assert isinstance(estimator.predict(x), np.ndarray)
        assert isinstance(estimator.predict(list(x)), list)
        assert isinstance(estimator.predict(walks(5)), list)


@pytest.mark.parametrize("task", TASKS)
def test_sequences_of_other_channels_are_refused(task: str) -> None:
    estimator = fitted(task)
    with pytest.raises(DataError, match="X: expected 2 channels, as in fit, got 3"):
        estimator.predict(walks(3, channels=3))
    with pytest.raises(DataError, match=r"Every sequence has 2 steps: if channels stand first, pass X\.transpose"):
        estimator.predict(walks(3, equal=True).transpose(0, 2, 1))
    named = Sequences.make(walks(3), channels=("a", "b"))
    assert len(estimator.predict(named)) == 3  # fitted without names
    x = walks()
    estimator.fit(Sequences.make(x, channels=("a", "b")), targets(task, x))
    assert len(estimator.predict(walks(3))) == 3
    with pytest.raises(DataError, match="expected the channels a, b, as in fit, got b, a"):
        estimator.predict(Sequences.make(walks(3), channels=("b", "a")))


def test_channels_that_seem_to_stand_first_are_told() -> None:
    x = np.random.default_rng(0).normal(size=(20, 3, 100))
    estimator = made("regressor", model="mean").fit(x, x.sum(axis=(1, 2)))
    assert any("100 channels and 3 steps. If channels stand first" in note for note in estimator.notes_)
    assert len(made("regressor", model="mean").fit(x.transpose(0, 2, 1), x.sum(axis=(1, 2))).notes_) == 1


@pytest.mark.parametrize("task", TASKS)
def test_every_invalid_value_is_refused_by_name(task: str) -> None:
    estimator, x = made(task), walks(6)
    for name, constraint in type(estimator)._constraints.items():
        for value in constraint.invalid():
            with pytest.raises(SettingError, match=f"^{name}: expected"):
                made(task, **{name: value} if name != "kind" else {}).set_params(**{name: value}).fit(
                    x, targets(task, x)
                )


def test_baselines_of_another_kind_are_refused() -> None:
    x = walks(8)
    for task, model, words in (
        ("labels", "mean", "the baseline of classes is 'majority'"),
        ("values", "majority", "'majority' is a baseline of classes"),
    ):
        with pytest.raises(SettingError, match=words):
            made(task, model=model).fit(x, targets(task, x))
    with pytest.raises(DataError, match="takes the first 3 channels for the 3 targets, but the sequences have 2"):
        made("regressor", model="last").fit(x, np.zeros((8, 3)) + np.arange(8)[:, None])
    with pytest.raises(SettingError, match="model: expected one of"):
        made("classifier", model="mean").fit(x, targets("classifier", x))


def _with_nan() -> list[np.ndarray]:
    x = walks(8)
    x[3][1, 0] = np.nan
    return x


@pytest.mark.parametrize(
    ("task", "x", "y", "words"),
    [
        ("classifier", walks(8), ["a"] * 8, "at least two classes to tell apart, all 8 labels are 'a'"),
        (
            "labels",
            walks(8),
            [np.zeros(len(item), int) for item in walks(8)],
            "at least two classes .* all labels are 0",
        ),
        (
            "classifier",
            walks(8),
            ["a", "b"] * 3,
            "y: expected 8 labels, one for each sequence and in the same order, got 6",
        ),
        ("classifier", walks(8), np.linspace(0, 1, 8), r"y\[1\]: expected a label, .* use SequenceRegressor"),
        ("classifier", [], [], "X: expected at least one sequence, got an empty list"),
        ("regressor", np.zeros((0, 4, 2)), [], r"X: expected at least one sequence, step and channel"),
        ("regressor", walks(8), list("abcdefgh"), "y: expected numbers, .* for labels use a classifier"),
        ("regressor", walks(8), [1.0] * 7 + [np.nan], r"y\[7\]: expected a finite number, got nan"),
        (
            "regressor",
            _with_nan(),
            range(8),
            "X: expected finite numbers, got nan in sequence 3, step 1, channel 'channel_0'",
        ),
        ("regressor", [*walks(7), np.zeros((4, 3))], range(8), r"X\[7\]: expected 2 channels, as in X\[0\], got 3"),
        ("regressor", [item[:2].T[:, : n + 1] for n, item in enumerate(walks(2))], range(2), "if channels stand first"),
        (
            "regressor",
            np.zeros((8, 1, 700)),
            range(8),
            r"sequences of 1 step with 700 channels\. If channels stand first",
        ),
        ("regressor", walks(1), [1.0], "validation_fraction: 0.2 of 1 sequences leaves none to train on"),
        ("values", walks(8), [np.zeros(2)] * 8, r"y\[\d\]: expected \d+ targets, one for each step of its sequence"),
        (
            "values",
            walks(8),
            [np.full(len(item), np.nan) for item in walks(8)],
            "at least one step with a target that counts",
        ),
        ("values", walks(8), [np.full(len(item), np.inf) for item in walks(8)], "found an infinite value"),
        ("values", walks(8), [["a"] * len(item) for item in walks(8)], "for labels use kind='label'"),
        (
            "labels",
            walks(8),
            [np.zeros((len(item), 2), int) for item in walks(8)],
            "several answers at once use kind='binary'",
        ),
        ("binary", walks(8), [np.full((len(item), 2), 0.5) for item in walks(8)], "expected 0 or 1, got 0.5 in row 0"),
    ],
)
def test_data_that_can_not_be_learned(task: str, x: Any, y: Any, words: str) -> None:
    estimator = made(task)
    with pytest.raises((DataError, SettingError), match=words):
        estimator.fit(x, y)
    assert not learned(estimator)

"""The text classifier: one battery for every model, then belief, attention, calibration and scikit-learn's manners."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from text_cases import MODELS, NETWORKS, classifier_of, reviews

from seqloom import TextClassifier, load
from seqloom.diagnostics import softmax
from seqloom.errors import Interrupted, NotFittedError, SettingError
from seqloom.tasks.text.settings import OWN, network_spec, resolved, training_settings
from seqloom.training import EpochDone, Saved

TEXTS, LABELS = reviews()
NEW, NEW_LABELS = reviews(24, seed=8)

SCRIPT = """
import json, sys
from pathlib import Path
from seqloom import load
texts = json.loads(Path(sys.argv[2]).read_text())
for folder in sorted(Path(sys.argv[1]).iterdir()):
    p = load(folder).predict_proba(texts)
    print(json.dumps({"name": folder.name, "p": [x.hex() for x in p.ravel().tolist()]}))
"""


def hexed(p: np.ndarray) -> list[str]:
    return [x.hex() for x in p.ravel().tolist()]


def test_every_model_saved_gives_the_same_bits_in_a_fresh_process(tmp_path: Path) -> None:
    expected, texts = {}, tmp_path / "texts.json"
    texts.write_text(json.dumps(NEW))
    for model in MODELS:
        classifier = classifier_of(model).fit(TEXTS, LABELS)
        classifier.save(tmp_path / "models" / model)
        expected[model] = hexed(classifier.predict_proba(NEW))
        again = load(tmp_path / "models" / model)
        assert again.get_params() == classifier.get_params()
        assert again.classes_ == classifier.classes_ == ["food", "sport"]
        assert again.n_parameters_ == classifier.n_parameters_
        again.save(tmp_path / "again" / model)
        for name in ("model.json", "model.safetensors"):
            one, two = (tmp_path / where / model / name for where in ("models", "again"))
            assert one.read_bytes() == two.read_bytes(), (model, name)
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "models"), str(texts)],
        capture_output=True, text=True, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, timeout=60,
    )  # fmt: skip
    assert {r["name"]: r["p"] for r in map(json.loads, run.stdout.splitlines())} == expected


@pytest.mark.parametrize("model", MODELS)
def test_probabilities_labels_and_scores_agree(model: str) -> None:
    texts, labels = reviews(classes=3)
    classifier = classifier_of(model, epochs=8, dropout=0.0).fit(texts, labels)
    p = classifier.predict_proba(NEW)
    assert p.shape == (24, 3)
    assert np.allclose(p.sum(axis=1), 1)
    assert (p >= 0).all()
    predicted = classifier.predict(NEW)
    assert predicted.tolist() == [classifier.classes_[k] for k in p.argmax(axis=1)]
    evaluation = classifier.evaluate(NEW, NEW_LABELS)
    assert evaluation.scores["accuracy"] == classifier.score(NEW, NEW_LABELS)
    assert evaluation.scores["accuracy"] == np.mean(predicted == np.array(NEW_LABELS))
    assert evaluation.predictions["predicted"].tolist() == predicted.tolist()
    if model != "majority":
        assert evaluation.scores["accuracy"] > 0.55, "three classes, each named by words of its own"


@pytest.mark.parametrize("model", ["majority", "bow", "bow-forest", "pooled", "gru", "han"])
def test_equal_seeds_give_equal_bits_and_other_seeds_others(model: str) -> None:
    one, two, other = (classifier_of(model, seed=seed).fit(TEXTS, LABELS).predict_proba(NEW) for seed in (1, 1, 2))
    assert np.array_equal(one, two)
    assert np.array_equal(one, other) == (model == "majority")


@pytest.mark.parametrize("model", ["flat", "conv", "lstm", "han"])
def test_a_stopped_fit_goes_on_to_the_same_bits(model: str, tmp_path: Path) -> None:
    whole = classifier_of(model, epochs=3).fit(TEXTS, LABELS)

    class Stop(Exception):
        pass

    def stop(event: Any) -> None:
        if isinstance(event, Saved) and event.epoch < 3:
            raise Stop

    parts = classifier_of(model, epochs=3)
    for _ in range(2):
        with pytest.raises(Stop):
            parts.fit(TEXTS, LABELS, directory=tmp_path, resume=True, on_event=stop)
        assert not hasattr(parts, "classes_"), "a fit that failed leaves nothing behind"
    parts.fit(TEXTS, LABELS, directory=tmp_path, resume=True, on_event=stop)
    assert np.array_equal(parts.predict_proba(NEW), whole.predict_proba(NEW))
    assert parts.temperature_ == whole.temperature_
    with pytest.raises(SettingError, match="holds another run: texts was"):
        classifier_of(model, epochs=3, seed=5).fit(TEXTS, LABELS, directory=tmp_path, resume=True)


def test_calibration_divides_the_logits_by_the_likeliest_temperature() -> None:
    classifier = classifier_of("gru", epochs=8).fit(TEXTS, LABELS, valid=(NEW, NEW_LABELS))
    plain = classifier_of("gru", epochs=8, calibrate=False).fit(TEXTS, LABELS, valid=(NEW, NEW_LABELS))
    logits, truth = plain.logits(NEW), np.array([label == "sport" for label in NEW_LABELS]).astype(int)
    assert np.array_equal(classifier.logits(NEW), logits)
    assert plain.temperature_ == 1.0
    assert np.allclose(classifier.predict_proba(NEW), softmax(logits, classifier.temperature_))

    def loss(temperature: float) -> float:
        target = np.where(np.eye(2)[truth] > 0, 25 / 26, 1 / 26)  # as Platt's: 24 texts are no proof of certainty
        return float(-(target * np.log(softmax(logits, temperature))).sum(axis=1).mean())

    best = loss(classifier.temperature_)
    assert all(best <= loss(classifier.temperature_ * factor) for factor in (0.5, 0.9, 1.1, 2.0))
    assert np.array_equal(classifier.predict(NEW), plain.predict(NEW))


@pytest.mark.parametrize("model", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("pool", ["last", "mean", "max"])
def test_belief_is_the_probability_of_every_beginning(model: str, pool: str) -> None:
    classifier = classifier_of(model, pool=pool).fit(TEXTS, LABELS)
    text = "The team was very good. It won a MATCH!"
    belief = classifier.belief(text)
    assert belief.words == ["the", "team", "was", "very", "good", ".", "it", "won", "a", "match", "!"]
    assert belief.classes == ["food", "sport"]
    for count in range(1, 12):
        p = classifier.predict_proba([" ".join(belief.words[:count])])[0]
        assert np.allclose(belief.probabilities[count - 1], p, atol=1e-6)
    assert classifier.belief("").words == []
    long = classifier.belief("goal " * 50)
    assert len(long.words) == len(long.probabilities) == 12
    assert np.allclose(long.probabilities[-1], classifier.predict_proba(["goal " * 50])[0], atol=1e-6)


def test_belief_equals_the_stream_of_the_layer() -> None:
    classifier = classifier_of("lstm").fit(TEXTS, LABELS)
    text = "the match was won and it was very good"
    network: Any = classifier.learned_.network
    stream, z = network.encoder.recurrent.stream(), []
    for number in classifier.tokenizer_.encode([text])[0]:
        h = torch.from_numpy(stream.step(network.embedding.weight.detach().numpy()[number]).copy())
        z.append(network.read_out(h).item())
    expected = 1 / (1 + np.exp(-np.array(z) / classifier.temperature_))
    assert np.allclose(classifier.belief(text).probabilities[:, 1], expected, atol=1e-6)


def test_attention_weighs_the_words_of_each_sentence_and_the_sentences() -> None:
    classifier = classifier_of("han").fit(TEXTS, LABELS)
    found = classifier.attention("The soup was good. Salt! And bread.")
    assert [sentence.words for sentence in found] == [["the", "soup", "was", "good"], ["salt"], ["and", "bread"]]
    assert sum(sentence.weight for sentence in found) == pytest.approx(1, abs=1e-6)
    for sentence in found:
        assert sentence.weights.sum() == pytest.approx(1, abs=1e-6)
        assert len(sentence.weights) == len(sentence.words)
    assert classifier.attention("...") == []


def test_what_a_model_can_not_show_is_refused_with_the_reason() -> None:
    with pytest.raises(SettingError, match="belief needs rnn, gru or lstm"):
        classifier_of("bilstm").fit(TEXTS, LABELS).belief("a")
    with pytest.raises(SettingError, match="belief needs pool last, mean or max"):
        classifier_of("gru", pool="attention").fit(TEXTS, LABELS).belief("a")
    with pytest.raises(SettingError, match="attention needs han"):
        classifier_of("gru").fit(TEXTS, LABELS).attention("a")
    for call in ("predict", "predict_proba", "logits", "belief", "attention"):
        with pytest.raises(NotFittedError):
            getattr(TextClassifier(), call)(["a"] if call.startswith(("pre", "log")) else "a")


def test_an_evaluation_draws_what_the_formats_say() -> None:
    details = classifier_of("lstm").fit(TEXTS, LABELS).evaluate(NEW, NEW_LABELS).details
    for each in details["belief"]:
        assert each["classes"] == ["food", "sport"]
        assert len(each["probabilities"]) == len(each["tokens"])
        assert all(sum(row) == pytest.approx(1, abs=1e-3) for row in each["probabilities"])
        assert each["actual"] in each["classes"]
    assert 2 <= len(details["belief"]) <= 10
    assert all(set(mistake) >= {"row", "text", "loss"} for mistake in details["mistakes"])
    attended = classifier_of("han").fit(TEXTS, LABELS).evaluate(NEW, NEW_LABELS).details["attention"]
    for each in attended:
        assert sum(s["weight"] for s in each["sentences"]) == pytest.approx(1, abs=1e-3)
        assert all(len(s["tokens"]) == len(s["weights"]) for s in each["sentences"])
    assert "belief" not in classifier_of("bow").fit(TEXTS, LABELS).evaluate(NEW, NEW_LABELS).details


def test_scikit_learn_takes_it() -> None:
    scores = cross_val_score(classifier_of("bow"), TEXTS, LABELS, cv=3)
    assert scores.min() > 0.8
    search = GridSearchCV(classifier_of("pooled"), {"units": [3], "epochs": [1, 4]}, cv=2)
    search.fit(np.array(TEXTS, dtype=object), np.array(LABELS))
    assert search.best_params_["epochs"] == 4
    again: Any = clone(classifier_of("gru", units=9))
    assert again.units == 9


def test_the_positive_class_and_the_class_weights() -> None:
    texts, labels = TEXTS + NEW[::2], LABELS + NEW_LABELS[::2]  # twelve more of one class
    plain = classifier_of("bow", calibrate=False).fit(texts, labels)
    first, second = (
        classifier_of("bow", positive=name).fit(texts, labels).evaluate(texts, labels) for name in ("food", "sport")
    )
    assert first.details["roc"][0]["class"] == "food"
    assert second.details["roc"][0]["class"] == "sport"
    for model in ("bow", "bow-forest", "pooled"):
        plain, heavy = (
            classifier_of(model, calibrate=False, epochs=1, class_weight=weight).fit(texts, labels)
            for weight in (None, {"sport": 8.0})
        )
        assert heavy.predict_proba(["it was a"])[0, 1] > plain.predict_proba(["it was a"])[0, 1], model


def test_pretrained_vectors_frozen_and_tuned(tmp_path: Path) -> None:
    words = ["goal", "team", "soup", "bread", "the"]
    rows = np.random.default_rng(1).normal(size=(5, 3)).round(3)
    path = tmp_path / "vectors.txt"
    path.write_text("".join(f"{w} {' '.join(map(str, row))}\n" for w, row in zip(words, rows)))
    for freeze in (True, False):
        classifier = classifier_of("gru", embeddings=path, freeze=freeze, punctuation=False).fit(TEXTS, LABELS)
        table = classifier.learned_.network.embedding.weight.detach().numpy()
        assert table.shape[1] == 3, "the file says the width"
        places = classifier.tokenizer_.vocabulary.ids(words)
        assert np.allclose(table[places], rows, atol=1e-6) == freeze
        assert "of 16 words have a vector" in classifier.notes_[0]
        classifier.save(tmp_path / "model")
        assert np.array_equal(load(tmp_path / "model").predict_proba(NEW), classifier.predict_proba(NEW))


@pytest.mark.parametrize(
    ("parameters", "marks"),
    [
        ({"model": "gru"}, True),
        ({"model": "pooled"}, False),
        ({"model": "gru", "punctuation": False}, False),
        ({"model": "conv", "punctuation": True}, True),
        ({"model": "bow", "punctuation": True}, False),
    ],
)
def test_recurrent_models_read_punctuation(parameters: dict[str, Any], marks: bool, tmp_path: Path) -> None:
    """So do other networks where they are asked to; bags of words don't."""
    texts = [f"{text}!" if label == "sport" else text for text, label in zip(TEXTS, LABELS)]
    classifier = classifier_of(parameters.pop("model"), **parameters).fit(texts, LABELS)
    assert ("!" in classifier.tokenizer_.tokens("good!")) == marks
    classifier.save(tmp_path / "model")
    assert np.array_equal(load(tmp_path / "model").predict_proba(NEW), classifier.predict_proba(NEW))


def test_parameters_that_are_none_take_the_models_own_value() -> None:
    for model, own in OWN.items():
        classifier = TextClassifier(model=model)
        classifier.check()
        assert {name: resolved(classifier, name) for name in own} == dict(own)
    assert training_settings(TextClassifier(), 22_500).epochs == 6
    assert training_settings(TextClassifier(), 100).epochs == 30
    assert training_settings(TextClassifier(), 9_999).epochs == 7, "batches of 16"
    assert training_settings(TextClassifier(batch_size=64), 9_999).epochs == 26
    assert training_settings(TextClassifier(), 10**6).epochs == 5
    assert network_spec(TextClassifier(units=7, model="lstm"), 10, 2).units == 7


def test_ctrl_c_keeps_the_checkpoint(tmp_path: Path, ctrl_c: None) -> None:
    def press(event: Any) -> None:
        if isinstance(event, EpochDone):
            os.kill(os.getpid(), 2)

    with pytest.raises(Interrupted, match="resume=True"):
        classifier_of("pooled", epochs=50, patience=None).fit(TEXTS, LABELS, directory=tmp_path, on_event=press)


@pytest.mark.parametrize("model", NETWORKS)
def test_bad_parameters_are_refused_before_anything_is_read(model: str) -> None:
    for name, constraint in TextClassifier._constraints.items():
        if name == "model":
            continue
        for value in constraint.invalid():
            with pytest.raises(SettingError, match=rf"^{name}: expected"):
                classifier_of(model, **{name: value}).check()

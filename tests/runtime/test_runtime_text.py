"""Text classifiers: the runtime predicts what seqloom does, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from runtime_cases import agree, changed, close, imported_alone, three
from text_cases import MODELS, NETWORKS, classifier_of, reviews

import seqloom
import seqloom_runtime
from seqloom.tasks.networks import BodyKind, WholeBody, register_body
from seqloom_runtime.errors import FormatError, SettingError

TEXTS, LABELS = reviews(60, classes=3)
ASKED = [*TEXTS[:20], "", "Nothing known", "1234 goals! Bread? " * 9]
OPTIONS: dict[str, dict[str, Any]] = {
    "gru": {"pool": "attention", "hidden": 5, "layer_norm": True},
    "lstm": {"units": (5, 3), "activation": ("relu", "tanh"), "peephole": True},
    "bigru": {"pool": "attention"},
    "pooled": {"long_numbers": True, "keep": "first", "max_length": 3},
}
HAS_OPTIONS = tuple(OPTIONS)


def fitted(model: str, classes: int = 3, **changes: Any) -> seqloom.TextClassifier:
    """A classifier of each kind, the weights of networks drawn wide, so that outputs differ."""
    texts, labels = reviews(40, classes=classes)
    found = classifier_of(model, epochs=1, **changes).fit(texts, labels)
    if hasattr(found, "learned_"):
        generator = torch.Generator().manual_seed(7)
        with torch.no_grad():
            for weight in found.learned_.network.parameters():
                weight.normal_(0, 0.5, generator=generator)
            found.learned_.network.embedding.weight[0] = 0  # as padding is
    return found


def asks() -> list[Callable[[Any], Any]]:
    return [lambda model: model.logits(ASKED), lambda m: m.predict_proba(ASKED), lambda m: m.predict(ASKED).tolist()]


@pytest.mark.parametrize("model", MODELS)
def test_the_runtime_predicts_the_same_bytes(tmp_path: Path, model: str) -> None:
    agree(fitted(model, classes=2 if model in ("bow", "conv") else 3), tmp_path / "m", *asks())


@pytest.mark.parametrize("model", HAS_OPTIONS)
def test_options(tmp_path: Path, model: str) -> None:
    agree(fitted(model, classes=2, **OPTIONS[model]), tmp_path / "m", *asks())


@pytest.mark.parametrize("model", NETWORKS)
def test_it_computes_what_torch_computes_and_no_text_depends_on_the_others(model: str) -> None:
    from seqloom.tasks.text.learning import logits_of

    estimator = fitted(model, **OPTIONS.get(model, {}))
    found = estimator.logits(ASKED)
    np.testing.assert_allclose(
        found, logits_of(estimator, estimator.tokenizer_, estimator.learned_, ASKED), rtol=1e-4, atol=1e-5
    )
    alone = np.concatenate([estimator.logits([text]) for text in ASKED])
    assert alone.tobytes() == found.tobytes()
    with torch.no_grad():  # the comparison catches a weight that went wrong, and a changed weight is not missed
        next(estimator.learned_.network.output.parameters()).view(-1)[0] += 0.5
    with pytest.raises(AssertionError):
        close(estimator.logits(ASKED), found)


def test_looking_into_it(tmp_path: Path) -> None:
    found = three(fitted("gru", pool="max"), tmp_path / "m")
    beliefs = [model.belief(ASKED[3]) for model in found]
    assert beliefs[0].probabilities.tobytes() == beliefs[2].probabilities.tobytes()
    assert beliefs[2].words == beliefs[1].words
    np.testing.assert_array_equal(beliefs[2].probabilities[-1], found[2].predict_proba([ASKED[3]])[0])
    with pytest.raises(SettingError, match="han"):
        found[2].attention(ASKED[3])
    ours, _, loaded = three(fitted("han"), tmp_path / "han")
    for one, other in zip(ours.attention(ASKED[5]), loaded.attention(ASKED[5]), strict=True):
        assert (one.words, one.weights.tobytes(), one.weight) == (other.words, other.weights.tobytes(), other.weight)
        assert np.isclose(other.weights.sum(), 1)


def test_labels_that_no_file_holds_are_predicted() -> None:
    texts, _ = reviews(30)
    labels = [(1, "a") if number % 2 else (2, "b") for number in range(30)]
    assert set(classifier_of("bow").fit(texts, labels).predict(texts)) <= set(labels)


def test_nothing_heavy_is_imported(tmp_path: Path) -> None:
    for model in ("lstm", "bow-forest"):
        fitted(model).save(tmp_path / model)
        assert imported_alone(tmp_path / model, f"model.predict({ASKED[:3]!r})") == []


class _Longest(WholeBody):
    """A body of a user's own: the largest of each number over the words."""

    def __init__(self, spec: Any, seed: int) -> None:
        super().__init__(spec, seed)

    def summary(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        return x.amax(dim=1)


def test_a_body_of_a_users_own_runs_in_torch_and_has_no_form_here(tmp_path: Path) -> None:
    from seqloom.tasks.networks.registry import _bodies, _models

    register_body(BodyKind("longest", "x", "y", _Longest, width=lambda spec: spec.inputs), tasks=["text"])
    try:
        found = fitted("longest")
        assert found.predict_proba(ASKED).shape == (len(ASKED), 3)
        found.save(tmp_path / "m")
        np.testing.assert_array_equal(seqloom.load(tmp_path / "m").logits(ASKED), found.logits(ASKED))
        with pytest.raises(FormatError, match="longest"):
            seqloom_runtime.load(tmp_path / "m")
    finally:
        del _bodies["longest"], _models["text"]["longest"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda h, a: h["classes"].append("x"), "shares"),
        (lambda h, a: h.update(temperature=-1.0), "temperature"),
        (lambda h, a: h["network"].update(units=1 << 40), "shape"),
        (lambda h, a: h["network"].update(layers=10**12), "layers"),
        (lambda h, a: h["network"].update(name="conv-lstm"), "differs"),
        (lambda h, a: h["parameters"].update(max_length=0), "words"),
        (lambda h, a: h.pop("tokenizer"), "tokenizer"),
        (lambda h, a: a.update({"network.more": np.zeros(1, np.float32)}), "more"),
        (lambda h, a: a["network.output.weight"].fill(np.nan), "NaN"),
        (lambda h, a: a.pop("network.output.bias"), "bias"),
    ],
)
def test_damaged_folders_are_refused(tmp_path: Path, change: Any, words: str) -> None:
    fitted("gru").save(tmp_path / "m")
    changed(tmp_path / "m", change)
    with pytest.raises(FormatError, match=words):
        seqloom_runtime.load(tmp_path / "m")

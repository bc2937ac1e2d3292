"""units=(6, 4) and an activation for each layer in the models of texts: classifier, tagger, language model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import seqloom
from seqloom.errors import SettingError
from seqloom.tasks.language.network import LanguageSpec, build_language_network
from seqloom.tasks.tagging.network import TaggerSpec
from seqloom.tasks.text.networks import TextNetworkSpec

TEXTS = ["win a free prize", "free cash prize now", "see you at home", "are you home"] * 6
LABELS = ["spam", "spam", "ham", "ham"] * 6
WORDS = [["fly", "to", "boston"], ["to", "denver", "please"]] * 10
TAGS = [["O", "O", "B-city"], ["O", "B-city", "O"]] * 10
RUNNING = "the cat sat on the mat\nthe dog sat on the cat\n" * 20
STACK: dict[str, Any] = {"units": (6, 4), "activation": ("tanh", "relu")}
BRIEF: dict[str, Any] = {"epochs": 2, "steps_per_epoch": 2, "learning_rate": 0.01}


def classifier(**changes: Any) -> seqloom.TextClassifier:
    return seqloom.TextClassifier(**{"model": "gru", "embedding_size": 5, **BRIEF, **changes})


def tagger(**changes: Any) -> seqloom.SequenceTagger:
    return seqloom.SequenceTagger(**{"model": "bilstm", "embedding_size": 5, **BRIEF, **changes})


def language(**changes: Any) -> seqloom.LanguageModel:
    return seqloom.LanguageModel(**{"model": "lstm", "batch_size": 2, "window": 8, **BRIEF, **changes})


def fitted(kind: str, **changes: Any) -> Any:
    """A model of each kind."""
    if kind == "text":
        return classifier(**changes).fit(TEXTS, LABELS)
    return tagger(**changes).fit(WORDS, TAGS) if kind == "tag" else language(**changes).fit(RUNNING)


def told(kind: str, model: Any) -> Any:
    """What a model says."""
    if kind == "text":
        return model.predict_proba(TEXTS[:4]).tobytes()
    return model.predict(WORDS[:2]) if kind == "tag" else model.score("the cat sat\n")


def layers_of(kind: str, model: Any) -> list[Any]:
    network = model.learned_.network if kind == "text" else model.model_
    body = network.encoder if kind == "text" else network.body
    if kind == "lm":
        return [layer.recurrent for layer in body.layers]
    return list(body.recurrent.layers)


@pytest.mark.parametrize("kind", ["text", "tag", "lm"])
def test_layers_have_their_own_sizes_and_are_saved(kind: str, tmp_path: Path) -> None:
    model = fitted(kind, **STACK)
    layers = layers_of(kind, model)
    assert [(layer.hidden_size, layer.options.activation) for layer in layers] == [(6, "tanh"), (4, "relu")]
    model.save(tmp_path / "model")
    loaded: Any = seqloom.load(tmp_path / "model")
    assert (loaded.units, loaded.activation) == ((6, 4), ("tanh", "relu"))
    assert told(kind, loaded) == told(kind, model)
    assert told(kind, fitted(kind, **STACK)) == told(kind, model)


@pytest.mark.parametrize("kind", ["text", "tag", "lm"])
def test_equal_layers_are_those_of_one_number(kind: str) -> None:
    one = fitted(kind, units=(4, 4), activation=("relu", "relu"))
    assert told(kind, one) == told(kind, fitted(kind, units=4, layers=2, activation="relu"))
    other = fitted(kind, units=4, layers=2)
    assert told(kind, one) != told(kind, other) or kind == "tag"


def test_a_language_network_of_two_sizes_is_two_torch_modules() -> None:
    """Copied weights: the same features as torch.nn.LSTM(3, 6) and torch.nn.LSTM(6, 4)."""
    spec = LanguageSpec("lstm", words=7, embedding_size=3, units=4, layers=2, tied=False, stack=(6, 4))
    network: Any = build_language_network(spec, 3)
    x = network.embedding.weight[torch.tensor([[0, 3, 5, 1]])]
    for layer, sizes in zip(network.body.layers, ((3, 6), (6, 4)), strict=True):
        twin: Any = torch.nn.LSTM(*sizes, batch_first=True)
        cell = layer.recurrent.cells[0]
        with torch.no_grad():
            twin.bias_hh_l0.zero_()
            for name, value in (("weight_ih_l0", cell.w_x.T), ("weight_hh_l0", cell.w_h.T), ("bias_ih_l0", cell.bias)):
                getattr(twin, name).copy_(value)
        x, _ = twin(x)
    torch.testing.assert_close(network(torch.tensor([[0, 3, 5, 1]]))[0], x, rtol=1e-5, atol=1e-6)


def test_a_tcn_of_words_has_channels_of_each_level() -> None:
    model = language(model="tcn", units=(6, 5, 4), activation="elu").fit(RUNNING)
    assert model.model_.spec.body.channels == (6, 5, 4)
    assert model.model_.spec.body.activation == "elu"


def test_tied_layers_end_as_wide_as_the_embedding() -> None:
    model = language(units=6, embedding_size=4, activation=("tanh", "relu")).fit(RUNNING)
    assert model.model_.spec.widths == (6, 4)
    assert language(units=(6, 4)).fit(RUNNING).model_.spec.embedding_size == 4
    with pytest.raises(SettingError, match=r"units: the logits share .* embedding_size \(3\) units, got 6, 4; make"):
        language(units=(6, 4), embedding_size=3).fit(RUNNING)


@pytest.mark.parametrize(
    ("kind", "change", "words"),
    [
        ("lm", {"units": (6, 4), "layers": 3}, "units: expected one number, or one for each of 3 layers, got 2: 6, 4;"),
        ("lm", {"model": "tcn", "activation": ("tanh", "relu")}, "activation: 'tcn' has one activation for all levels"),
        ("text", {"units": (6, 4), "layers": 3}, "units: expected one number, or one for each of 3 layers"),
        ("text", {"model": "conv", "units": (6, 4)}, "units: 'conv' has layers of one size, got 6, 4; give one number"),
        ("text", {"model": "conv", "activation": "tanh"}, "activation: 'conv' has an activation of its own; use rnn"),
        ("text", {"activation": "tanhh"}, "activation: .*Did you mean 'tanh'"),
        ("tag", {"model": "jordan", "units": (6, 4)}, "units: 'jordan' has layers of one size"),
        ("tag", {"model": "memoryless", "activation": "relu"}, "activation: 'memoryless' has tanh alone; use elman"),
        ("tag", {"units": (6, 0)}, "units: expected a whole number of at least 1"),
    ],
)
def test_what_does_not_go_together_is_refused_in_a_sentence(kind: str, change: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingError, match=words):
        fitted(kind, **change)


def test_what_is_alike_is_saved_as_before(tmp_path: Path) -> None:
    for spec in (TextNetworkSpec("gru", 9, 2), TaggerSpec("lstm", 9, 3), LanguageSpec("lstm", 9, 4, 4)):
        assert not {"activation", "stack", "activations"} & set(spec.to_json())
    for kind in ("text", "tag", "lm"):
        fitted(kind, units=4).save(tmp_path / kind)
        assert '"activation"' not in (tmp_path / kind / "model.json").read_text()

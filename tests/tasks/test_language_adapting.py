"""A neural cache and dynamic evaluation, each beside its formula token by token; nothing later is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import seqloom
from seqloom.errors import SettingError
from seqloom.tasks.language import LanguageModel
from seqloom.tasks.language.adapting import adapted_losses
from seqloom.tasks.language.network import LanguageSpec, build_language_network
from seqloom.tasks.language.scoring import network_losses
from seqloom_runtime.language.scoring import Adaptation

TEXT = "the cat sat on the mat\nthe dog ran to the cat\na bird saw it\n" * 15
IDS = np.random.default_rng(0).integers(0, 9, 40)


@pytest.fixture(params=["lstm", "tcn", "stack"])
def network(request: pytest.FixtureRequest) -> Any:
    spec = {"lstm": ("lstm", 6, 6), "tcn": ("tcn", 6, 6), "stack": ("gru", 5, 7)}[request.param]
    made = build_language_network(LanguageSpec(spec[0], 9, spec[1], spec[2], 2, output_dropout=0.5), 3)
    with torch.no_grad():
        for weight in made.parameters():
            weight.mul_(3)  # so that features differ enough for the cache to tell them apart
    return made.train()


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_the_cache_is_its_formula(network: Any, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    network.eval()
    with torch.no_grad():
        features, _ = network(torch.from_numpy(np.concatenate([[2], IDS[:-1]]))[None])
        model = torch.softmax(network.logits(features[0]).double(), 1).numpy()
    h = features[0].double().numpy()
    wanted = []
    for t, word in enumerate(IDS):
        places = range(max(0, t - size), t)
        p = model[t, word]
        if places:
            likeness = np.exp([2.0 * (h[t] @ h[i]) for i in places])
            cached = sum(l for l, i in zip(likeness, places, strict=True) if IDS[i] == word) / likeness.sum()
            p = 0.7 * p + 0.3 * cached
        wanted.append(-np.log(p))
    network.train()
    how = Adaptation(size, weight=0.3, flatness=2.0)
    found = adapted_losses(network, 2, IDS, how)
    np.testing.assert_allclose(found, wanted, rtol=1e-4)
    monkeypatch.setattr("seqloom.tasks.language.adapting._STEPS", 3)
    np.testing.assert_allclose(adapted_losses(network, 2, IDS, how), wanted, rtol=1e-4)
    assert network.training


def test_dynamic_evaluation_is_a_step_after_each_window(network: Any) -> None:
    """Against torch.optim.SGD over the same windows, each scored before its step; the weights are then put back."""
    kept = [weight.detach().clone() for weight in network.parameters()]
    found = adapted_losses(network, 2, IDS, Adaptation(rate=0.5, window=6, clip=0.2))
    for weight, before in zip(network.parameters(), kept, strict=True):
        assert torch.equal(weight, before)
    network.eval()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.5)
    before, wanted, state = torch.from_numpy(np.concatenate([[2], IDS[:-1]])), [], None
    for first in range(0, 40, 6):
        features, state = network(before[None, first : first + 6], seqloom.nn.detach(state))
        target = torch.from_numpy(IDS[first : first + 6])
        losses = torch.nn.functional.cross_entropy(network.logits(features[0]), target, reduction="none")
        wanted.extend(losses.tolist())
        optimizer.zero_grad()
        losses.mean().backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 0.2)
        optimizer.step()
    np.testing.assert_allclose(found, wanted, rtol=1e-4)


@pytest.mark.parametrize(
    "how", [Adaptation(8, 0.3), Adaptation(rate=0.5, window=6), Adaptation(8, 0.3, rate=0.5, window=6)]
)
def test_nothing_later_is_read(network: Any, how: Adaptation) -> None:
    other = IDS.copy()
    other[25:] = (other[25:] + 4) % 9
    one, two = adapted_losses(network, 2, IDS, how), adapted_losses(network, 2, other, how)
    assert one[:25].tolist() == two[:25].tolist()
    assert one[25:].tolist() != two[25:].tolist()


def test_none_of_both_is_the_plain_score_and_a_repeating_text_gets_easier(network: Any) -> None:
    np.testing.assert_allclose(
        adapted_losses(network, 2, IDS, Adaptation()), network_losses(network, 2, IDS), rtol=1e-5
    )
    text = np.tile(np.array([1, 5, 3, 8, 2, 7]), 12)
    plain = network_losses(network, 2, text)[12:].mean()
    for how in (Adaptation(50, 0.3, 5.0), Adaptation(rate=0.3, window=6, clip=1.0)):
        assert adapted_losses(network, 2, text, how)[12:].mean() < plain


def test_the_estimator_takes_them_for_a_call_or_for_good(tmp_path: Path) -> None:
    plain = LanguageModel(model="gru", units=8, layers=1, epochs=2, batch_size=4, window=8).fit(TEXT, valid=TEXT)
    again = LanguageModel(model="gru", units=8, layers=1, epochs=2, batch_size=4, window=8, cache=30, dynamic_rate=0.1)
    again.fit(TEXT, valid=TEXT)
    assert plain.history_ == again.history_
    once = plain.score("the cat sat\nthe cat sat\n", cache=30, dynamic_rate=0.1)
    assert once == again.score("the cat sat\nthe cat sat\n")
    assert once != plain.score("the cat sat\nthe cat sat\n")
    loss = again.evaluate("the cat sat\nthe cat sat\n").scores["loss"]
    assert loss == pytest.approx(-np.mean([p for _, p in once]))
    again.save(tmp_path / "model")
    assert seqloom.load(tmp_path / "model").score("the cat sat\nthe cat sat\n") == once
    with pytest.raises(SettingError, match=r"^cache_weight: expected a number"):
        plain.score("the cat", cache_weight=2.0)
    with pytest.raises(SettingError, match=r"^cache: last words are scored passage by passage"):
        LanguageModel(cache=5, scoring="last-word").fit(TEXT)

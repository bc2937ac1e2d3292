"""The adaptive softmax: probabilities against NumPy in float64 and torch's module, training, folders, refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import seqloom
from seqloom.errors import SettingError
from seqloom.tasks.language import LanguageModel
from seqloom.tasks.language.adaptive import AdaptiveSoftmax, usual_cutoffs
from seqloom.tasks.language.network import LanguageSpec, build_language_network
from seqloom.tasks.memory import count_weights

QUICK: dict[str, Any] = {
    "units": 16,
    "layers": 1,
    "epochs": 2,
    "batch_size": 4,
    "window": 8,
    "softmax": "adaptive",
    "tied": False,
}
RNG = np.random.default_rng(0)
TEXT = "\n".join(" ".join(f"w{n}" for n in RNG.zipf(1.5, 8) % 60) for _ in range(80)) + "\n"


def softmax(logits: np.ndarray) -> np.ndarray:
    p = np.exp(logits - logits.max(-1, keepdims=True))
    return p / p.sum(-1, keepdims=True)


def test_probabilities_are_head_times_cluster() -> None:
    """V = 11 cut at 3 and 6, against float64 arithmetic by the definition."""
    module = AdaptiveSoftmax(16, 11, (3, 6), seed=4)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(parameter.numel())))
    x = torch.randn(5, 16, generator=torch.Generator().manual_seed(1))
    weights = {name: value.numpy().astype(np.float64) for name, value in module.state_dict().items()}
    h = x.numpy().astype(np.float64)
    head = softmax(h @ weights["head.weight"].T + weights["head.bias"])
    parts = [head[:, :3]]
    for n in range(2):
        inside = softmax(h @ weights[f"tail.{n}.0.weight"].T @ weights[f"tail.{n}.1.weight"].T)
        parts.append(head[:, 3 + n, None] * inside)
    wanted = np.concatenate(parts, 1)
    np.testing.assert_allclose(wanted.sum(1), 1)
    np.testing.assert_allclose(module.log_probabilities(x).exp().detach().numpy(), wanted, rtol=1e-5)
    targets = torch.tensor([0, 2, 3, 5, 10])
    found = module.losses(x, targets).detach().numpy()
    np.testing.assert_allclose(found, -np.log(wanted[np.arange(5), targets.numpy()]), rtol=1e-5)
    assert module.log_probabilities(x[None, :2]).shape == (1, 2, 11)


def test_it_is_torch_s_and_leaves_its_random_stream_alone() -> None:
    before = torch.get_rng_state()
    module = AdaptiveSoftmax(16, 11, (3, 6), seed=4)
    assert torch.equal(before, torch.get_rng_state())
    plain = torch.nn.AdaptiveLogSoftmaxWithLoss(16, 11, [3, 6], div_value=4.0, head_bias=True)
    plain.load_state_dict(module.state_dict())
    x, targets = torch.randn(9, 16), torch.arange(9)
    module.losses(x, targets).mean().backward()
    plain(x, targets).loss.backward()
    for (name, one), (_, other) in zip(module.named_parameters(), plain.named_parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, msg=name)


def test_fewer_weights_and_usual_cutoffs() -> None:
    full = LanguageSpec("lstm", 267_735, 200, 200, tied=False)
    cut = LanguageSpec("lstm", 267_735, 200, 200, tied=False, cutoffs=usual_cutoffs(267_735))
    logits = [count_weights(lambda s=spec: build_language_network(s, 0)) for spec in (full, cut)]
    # 200 numbers for 20,080 + 2 entries, 50 for 40,160 words and 12 for 207,495, their projections, one bias.
    assert logits[0] - logits[1] == 267_735 * 201 - (
        20_082 * 201 + 200 * 50 + 40_160 * 50 + 200 * 12 + (267_735 - 60_240) * 12
    )
    assert usual_cutoffs(4) == (1, 2)


def test_a_model_learns_resumes_saves_and_writes(tmp_path: Path) -> None:
    class Stop(Exception):
        pass

    def stop(event: object) -> None:
        if type(event).__name__ == "EpochDone":
            raise Stop

    def make() -> LanguageModel:
        return LanguageModel(model="gru", **QUICK)

    whole = make().fit(TEXT, valid=TEXT)
    with pytest.raises(Stop):
        make().fit(TEXT, valid=TEXT, directory=tmp_path / "cut", on_event=stop)
    resumed = make().fit(TEXT, valid=TEXT, directory=tmp_path / "cut", resume=True)
    assert whole.history_ == resumed.history_
    assert whole.history_ is not None
    assert whole.history_.epochs[-1].train_loss < whole.history_.epochs[0].train_loss
    resumed.save(tmp_path / "model")
    loaded = seqloom.load(tmp_path / "model")
    assert loaded.score("w1 w2 w3\n") == whole.score("w1 w2 w3\n")
    assert loaded.generate("w1", 5, seed=2) == whole.generate("w1", 5, seed=2)
    assert "(cutoffs=)" in loaded.notes_[0]
    # One word after another sums to one, and greedy writing takes the largest.
    words = loaded.vocabulary_.words
    p = {word: np.exp(loaded.score(f"w1 {word}")[1][1]) for word in words if word != "<eos>"}
    p["<eos>"] = np.exp(loaded.score("w1\n")[1][1])
    assert sum(p.values()) == pytest.approx(1, abs=1e-5)
    best = max((word for word in p if word != "<unk>"), key=p.__getitem__)
    assert loaded.generate("w1", 1, temperature=0) == ("" if best == "<eos>" else best)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"tied": True}, r"^tied: an adaptive softmax"),
        ({"cutoffs": (5, 5)}, r"^cutoffs: expected increasing numbers"),
        ({"cutoffs": (5, 5000)}, r"^cutoffs: expected increasing numbers of words from 1 to \d+"),
        ({"units": 8}, r"^cutoffs: the last of 2 clusters has 1/16"),
        ({"softmax": "full", "cutoffs": (5, 9)}, r"^cutoffs: only an adaptive softmax"),
    ],
)
def test_what_does_not_go_together_is_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        LanguageModel(model="gru", **{**QUICK, **parameters}).fit(TEXT)

"""Similar sequences: losses and their gradients against loops, pairs and labels, nearest ones, folders, resuming."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import seqloom
from oracles.numpy_recurrent import Twin
from seqloom import SequenceSimilarity
from seqloom.errors import DataError, FormatError, Interrupted, SeqloomError
from seqloom.tasks.similarity.learning import Likeness, pair_area
from seqloom.tasks.similarity.network import (
    NETWORKS,
    SiameseSpec,
    build_siamese,
    contrastive_loss,
    distances,
    triplet_loss,
)
from seqloom.training import events

SMALL: dict[str, Any] = {"units": 6, "embedding_size": 4, "epochs": 2, "batch_size": 16, "learning_rate": 0.02}


def waves(count: int = 60, classes: int = 3, seed: int = 0) -> tuple[list[np.ndarray], np.ndarray]:
    """Waves of a pace each, begun anywhere, of unequal lengths."""
    draw = np.random.default_rng(seed)
    kinds = np.arange(count) % classes
    lengths = draw.integers(14, 22, count)
    return [
        np.sin(np.arange(n) * (0.3 + 0.4 * k) + draw.uniform(0, 6)) + 0.1 * draw.standard_normal(n)
        for k, n in zip(kinds, lengths)
    ], kinds


def small(**options: Any) -> SequenceSimilarity:
    return SequenceSimilarity(**{**SMALL, **options})


@pytest.mark.parametrize("name", NETWORKS)
def test_embeddings_against_numpy(name: str) -> None:
    network = build_siamese(SiameseSpec(name, 2, embedding_size=3, units=4), 5).eval()
    w = {key: tensor.detach().double().numpy() for key, tensor in network.state_dict().items()}
    x = np.random.default_rng(0).normal(size=(2, 6, 2)).astype(np.float32)
    mask = torch.tensor([[True] * 6, [True] * 4 + [False] * 2])
    found = network(torch.from_numpy(x), mask).detach().numpy()
    own = {key: w[f"body.recurrent.cells.0.{key}"] for key in ("w_x", "w_h", "bias")}
    for row, steps in enumerate((6, 4)):
        twin = Twin("elman" if name == "rnn" else name, own)
        h = twin.run(x[row, None, :steps].astype(np.float64), np.zeros((1, 4)), np.zeros((1, 4)))[0][0, -1]
        v = w["output.weight"] @ h + w["output.bias"]
        assert np.abs(found[row] - v / np.linalg.norm(v)).max() < 1e-5


def known(count: int = 7, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    draw = np.random.default_rng(seed)
    embedded = torch.tensor(draw.normal(size=(count, 3)), requires_grad=True)
    alike = draw.integers(-1, 2, (count, count))
    alike = np.triu(alike, 1) + np.triu(alike, 1).T + np.eye(count, dtype=np.int64)
    return embedded, torch.from_numpy(alike.astype(np.int8))


def test_losses_against_loops_and_their_gradients() -> None:
    embedded, alike = known()
    e, a, count = embedded.detach().numpy(), alike.numpy(), len(alike)
    d = np.linalg.norm(e[:, None] - e, axis=2)
    assert np.allclose(distances(embedded).detach().numpy(), d, atol=1e-5)
    pairs = list(itertools.combinations(range(count), 2))
    pull = np.mean([d[i, j] ** 2 for i, j in pairs if a[i, j] == 1])
    push = np.mean([max(0.0, 1.3 - d[i, j]) ** 2 for i, j in pairs if a[i, j] == 0])
    assert contrastive_loss(distances(embedded), alike, 1.3).item() == pytest.approx(0.5 * (pull + push), rel=1e-6)
    triplets = [
        max(0.0, 0.7 + d[i, j] - d[i, k])
        for i, j, k in itertools.product(range(count), repeat=3)
        if i != j and a[i, j] == 1 and a[i, k] == 0
    ]
    expected = sum(triplets) / sum(t > 0 for t in triplets)
    assert triplet_loss(distances(embedded), alike, 0.7).item() == pytest.approx(expected, rel=1e-6)
    for loss in (contrastive_loss, triplet_loss):
        assert torch.autograd.gradcheck(lambda x, of=loss: of(distances(x), alike, 0.9), (embedded,))
    none = torch.full_like(alike, -1)
    assert contrastive_loss(distances(embedded), none, 1.0).item() == 0
    assert triplet_loss(distances(embedded), none, 1.0).item() == 0
    swapped = torch.where(alike >= 0, 1 - alike, alike)  # a planted mistake: alike and not alike changed over
    assert triplet_loss(distances(embedded), swapped, 0.7).item() != pytest.approx(expected, rel=1e-3)


def test_what_is_known_of_pairs() -> None:
    likeness = Likeness(4, pairs=np.array([[0, 1], [2, 1]]), same=np.array([1, 0]))
    assert likeness.among(np.array([0, 1, 2])).tolist() == [[-1, 1, -1], [1, -1, 0], [-1, 0, -1]]
    assert likeness.some(9).tolist() == [0, 1, 2]
    assert Likeness(3, np.array([5, 7, 5])).among(np.arange(3))[0].tolist() == [1, 0, 1]
    embedded = np.array([[0.0], [1.0], [5.0]])
    assert pair_area(embedded, np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1]], dtype=np.int8)) == 1
    assert pair_area(embedded, -np.ones((3, 3), dtype=np.int8)) == 0.5


@pytest.mark.parametrize("loss", ["triplet", "contrastive"])
def test_it_learns_and_finds_the_nearest(loss: str) -> None:
    x, y = waves(120)
    model = small(loss=loss, epochs=15, units=12).fit(x, y)
    new, labels = waves(60, seed=9)
    plain = SequenceSimilarity(model="euclidean").fit(x, y)
    mine, theirs = model.evaluate(new, labels).scores, plain.evaluate(new, labels).scores
    assert mine["recall_at_1"] > 0.9
    assert mine["auc"] > theirs["auc"]
    numbers, found = model.similar(new[:5], 4)
    assert numbers.shape == found.shape == (5, 4)
    assert (np.diff(found, axis=1) >= 0).all()
    e, among = model.embed(new[:5]), model.embed(new)
    by_hand = np.linalg.norm(e[:, None] - among, axis=2)
    assert np.allclose(model.similar(new[:5], 3, among=new)[1], np.sort(by_hand, axis=1)[:, :3], atol=1e-6)


def test_the_baseline_is_the_distance_of_the_sequences() -> None:
    x = [np.array([0.0, 2.0]), np.array([0.0, 1.0, 2.0]), np.array([5.0])]
    model = SequenceSimilarity(model="euclidean", scaling="none").fit(x, ["a", "a", "b"], valid=(x, [0, 0, 1]))
    assert model.embed(x).tolist() == [[0, 1, 2], [0, 1, 2], [5, 5, 5]]
    assert model.similar(x[:1], 3)[1].tolist() == [[0, 0, pytest.approx(np.sqrt(25 + 16 + 9))]]


def test_pairs_are_enough() -> None:
    x, y = waves(60, 2)
    draw = np.random.default_rng(0)
    pairs = [(int(i), int(j), int(y[i] == y[j])) for i, j in draw.integers(0, 60, (200, 2)) if i != j]
    model = small(loss="contrastive", margin=1.0, epochs=20, steps_per_epoch=10, units=12).fit(x, pairs=pairs)
    assert model.evaluate(*waves(40, 2, seed=3)).scores["auc"] > 0.9


@pytest.mark.parametrize("model", ["gru", "lstm", "euclidean"])
def test_folders(model: str, tmp_path: Path) -> None:
    x, y = waves()
    fitted = small(model=model).fit(x, y)
    fitted.save(tmp_path / "model")
    again = seqloom.load(tmp_path / "model")
    assert np.array_equal(again.embed(x), fitted.embed(x))
    assert np.array_equal(again.similar(x[:3])[0], fitted.similar(x[:3])[0])
    with pytest.raises(DataError, match="expected 1 channels"):
        again.embed([np.zeros((4, 2))])
    (tmp_path / "model" / "model.safetensors").write_bytes(b"")
    with pytest.raises(FormatError):
        seqloom.load(tmp_path / "model")


def test_the_same_seed_gives_the_same_bytes_and_a_stopped_fit_goes_on(tmp_path: Path) -> None:
    x, y = waves()
    options: dict[str, Any] = {"epochs": 3, "input_dropout": 0.1, "steps_per_epoch": 3}
    whole, twin = (small(**options).fit(x, y, directory=tmp_path / name) for name in "ab")
    assert np.array_equal(whole.index_, twin.index_)

    def stop(event: Any) -> None:
        if isinstance(event, events.EpochDone):
            raise Interrupted("stopped")

    cut = small(**options)
    with pytest.raises(Interrupted):
        cut.fit(x, y, directory=tmp_path / "cut", on_event=stop)
    cut.fit(x, y, directory=tmp_path / "cut", resume=True)
    assert np.array_equal(whole.index_, cut.index_)
    assert not np.array_equal(small(**options, seed=1).fit(x, y).embed(x), whole.embed(x))


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda x, y: small().fit(x), "y, pairs: give one of them"),
        (lambda x, y: small().fit(x, y, pairs=[(0, 1, 1)]), "y, pairs: give one of them"),
        (lambda x, y: small().fit(x, np.zeros(len(x))), "at least two labels|labels"),
        (lambda x, y: small().fit(x, np.arange(len(x)), valid=(x, y)), "one of them at least twice"),
        (lambda x, y: small().fit(x, pairs=[(0, 1)]), "expected a list of"),
        (lambda x, y: small().fit(x, pairs=[(0, 0, 1), (0, 1, 0)]), r"pairs\[0\]: expected two different"),
        (lambda x, y: small().fit(x, pairs=[(0, 99, 1), (0, 1, 0)]), "from 0 to 59, got"),
        (lambda x, y: small().fit(x, pairs=[(0, 2, 1), (0, 1, 1)]), "at least one of each"),
        (lambda x, y: small(model="tcn").fit(x, y), "model: expected one of rnn, gru, lstm, euclidean"),
        (lambda x, y: small(margin=0).fit(x, y), "margin: expected"),
        (lambda x, y: small(model="euclidean").fit(x, y).similar(x, 99), "count: expected 1 to"),
        (lambda x, y: small(model="euclidean").fit(x, y).evaluate(x, np.arange(60)), "at least two labels"),
        (lambda x, y: small().embed(x), "not fitted yet"),
    ],
)
def test_what_is_refused(call: Any, said: str) -> None:
    with pytest.raises(SeqloomError, match=said):
        call(*waves())

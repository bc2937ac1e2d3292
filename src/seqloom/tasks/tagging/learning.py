"""What `SequenceTagger.fit` does once sentences are checked: number them, count the baseline or train the network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from ...data.text import LengthBuckets, LengthSorted, pad_sequences
from ...diagnostics.spans import score_spans
from ...errors import DataError
from ...training import derive_seed, fit
from ..comparison.fingerprint import fingerprint
from ..memory import count_weights, refuse_too_large
from ..place import Place
from ..training_parameters import fit_settings
from .frequent import FrequentTags
from .network import TaggerSpec, TaggingNetwork, build_tagging_network

if TYPE_CHECKING:
    from .tagger import SequenceTagger

__all__ = ["best_tags", "check_memory", "learn", "split_sentences", "tagger_spec"]

Tagged = tuple[list[list[str]], list[list[str]]]
_SCORED_AT_ONCE = 64


def split_sentences(data: Tagged, fraction: float, seed: int) -> tuple[Tagged, Tagged]:
    """A random `fraction` of the sentences apart, at least one; raises DataError for a single sentence."""
    count = len(data[0])
    if count < 2:
        raise DataError("The training data: expected at least two sentences, one of them to validate on, got one.")
    order = np.random.default_rng(derive_seed(seed, "validation sentences")).permutation(count)
    held = max(1, min(count - 1, round(count * fraction)))

    def take(places: np.ndarray) -> Tagged:
        return [data[0][i] for i in places], [data[1][i] for i in places]

    return take(np.sort(order[held:])), take(np.sort(order[:held]))


def tagger_spec(tagger: SequenceTagger, words: int, tags: int) -> TaggerSpec:
    """The network's shape; raises SettingError for options that don't go together."""
    return TaggerSpec(
        name=tagger.model,
        words=words,
        tags=tags,
        embedding_size=int(tagger.embedding_size),
        units=int(tagger.units),
        layers=int(tagger.layers),
        context=int(tagger.context),
        crf=tagger.crf,
        word_dropout=float(tagger.word_dropout),
        dropout=float(tagger.dropout),
        input_dropout=0.0 if tagger.model == "memoryless" else float(tagger.input_dropout),
        recurrent_dropout=0.0 if tagger.model == "memoryless" else float(tagger.recurrent_dropout),
    )


def check_memory(spec: TaggerSpec, optimizer: str, batch_size: int = 0) -> None:
    """Raise SettingError where training needs more memory than there is."""
    refuse_too_large(
        spec.name,
        count_weights(lambda: build_tagging_network(spec, 1, 0)),
        optimizer,
        grows_with="embedding_size" if spec.embedding_size > spec.units else "units",
        batch_size=batch_size,
        row=spec.body.inputs + spec.body.output_size,
    )


class _Batches:
    """Training batches of sentences of like length without end: ids, mask and tags, an order that resumes."""

    def __init__(self, ids: list[list[int]], tags: list[list[int]], size: int, seed: int) -> None:
        self._ids, self._tags = ids, tags
        self._order = LengthBuckets([len(sentence) for sentence in ids], size, seed)

    def __iter__(self) -> _Batches:
        return self

    def __len__(self) -> int:
        return len(self._order)

    def __next__(self) -> tuple[Tensor, Tensor, Tensor]:
        places = next(self._order)
        ids, mask = pad_sequences([self._ids[i] for i in places])
        tags, _ = pad_sequences([self._tags[i] for i in places], value=-1)
        return torch.from_numpy(ids), torch.from_numpy(mask), torch.from_numpy(tags)

    def state(self) -> dict[str, int]:
        """Position in the order, as JSON values."""
        return self._order.state()

    def restore(self, state: dict[str, int]) -> None:
        """Continue from `state`."""
        self._order.restore(state)


def learn(tagger: SequenceTagger, train: Tagged, held: Tagged, place: Place) -> None:
    """Set `model_`, `history_` and `n_parameters_`."""
    number = {tag: k for k, tag in enumerate(tagger.tags_)}
    ids = [tagger._ids(sentence) for sentence in train[0]]
    tags = [[number[tag] for tag in sentence] for sentence in train[1]]
    words = len(tagger.vocabulary_)
    tagger.history_ = None
    if tagger.model == "frequent":
        tagger.n_parameters_ = words
        tagger.model_ = FrequentTags.fit(ids, tags, words, len(number))
        return
    spec = tagger_spec(tagger, words, len(number))
    check_memory(spec, tagger.optimizer, min(int(tagger.batch_size), len(ids)))
    unknown = tagger.vocabulary_.unknown_id
    assert unknown is not None
    network = build_tagging_network(spec, unknown, derive_seed(int(tagger.seed), spec.name, "weights"))
    tagger.n_parameters_ = sum(p.numel() for p in network.parameters())
    batches = _Batches(ids, tags, int(tagger.batch_size), derive_seed(int(tagger.seed), spec.name, "batches"))
    held_ids = [tagger._ids(sentence) for sentence in held[0]]

    def loss(module: nn.Module, batch: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        assert isinstance(module, TaggingNetwork)
        sentence_ids, mask, marks = batch
        return module.loss(sentence_ids, mask, marks)

    def validate(module: nn.Module) -> dict[str, float]:
        assert isinstance(module, TaggingNetwork)
        found = [[tagger.tags_[k] for k in best] for best in _network_tags(module, held_ids)]
        pairs = [(a, b) for gold, ours in zip(held[1], found) for a, b in zip(gold, ours)]
        wrong = sum(a != b for a, b in pairs) / len(pairs)
        spans, _ = score_spans(held[1], found)
        # Of two epochs with the same F1 the one with fewer wrong words is kept.
        return {"error": (1 - spans.f1) + 1e-3 * wrong if spans.actual else wrong, "word_error": wrong}

    tagger.history_ = fit(
        network,
        batches,
        loss,
        settings=fit_settings(tagger, len(ids), monitor="error"),
        validate=validate,
        directory=place.directory,
        resume=place.resume,
        on_event=place.on_event,
        signature={
            "network": spec.to_json(),
            "batches": {k: v for k, v in batches.state().items() if k not in ("epoch", "position")},
            "data": fingerprint([train, held]),
        },
    )
    tagger.model_ = network.eval()


def best_tags(tagger: SequenceTagger, ids: Sequence[list[int]]) -> list[list[int]]:
    """The tags' numbers for sentences of word ids; an empty sentence has none."""
    if isinstance(tagger.model_, FrequentTags):
        return [tagger.model_.best(sentence) for sentence in ids]
    return _network_tags(tagger.model_, ids)


def _network_tags(network: TaggingNetwork, ids: Sequence[list[int]]) -> list[list[int]]:
    found: list[list[int]] = [[] for _ in ids]
    filled: Any = [i for i, sentence in enumerate(ids) if sentence]
    if not filled:
        return found
    was_training = network.training
    network.eval()
    with torch.no_grad():
        for batch in LengthSorted([len(ids[i]) for i in filled], _SCORED_AT_ONCE):
            places = [filled[i] for i in batch]
            padded, mask = pad_sequences([ids[i] for i in places])
            best = network.best(torch.from_numpy(padded), torch.from_numpy(mask)).tolist()
            for i, row in zip(places, best):
                found[i] = row[: len(ids[i])]
    network.train(was_training)
    return found

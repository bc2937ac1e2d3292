"""What `SequenceTagger.fit` does once sentences are checked: number them, count the baseline or train the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from seqloom_runtime.data.text import LengthBuckets, LengthSorted, Vocabulary, pad_sequences
from seqloom_runtime.errors import DataError
from seqloom_runtime.tagging.frequent import FrequentTags

from ...diagnostics.spans import score_spans
from ...training import History, derive_seed
from ..cell_parameters import cell_options
from ..checkpointing import Checkpointing
from ..comparison.fingerprint import fingerprint
from ..drawn_batches import DrawnBatches
from ..layer_fields import layers_of
from ..memory import count_weights, refuse_too_large, weights_of
from ..training_parameters import fit_settings
from .network import TaggerSpec, TaggingNetwork, build_tagging_network

if TYPE_CHECKING:
    from .tagger import SequenceTagger

__all__ = ["Fitted", "check_memory", "learn", "split_sentences", "tagger_spec"]

Tagged = tuple[list[list[str]], list[list[str]]]
_SCORED_AT_ONCE = 64  # sentences


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
        **layers_of(tagger, "tagging", "elman, lstm or gru"),
        context=int(tagger.context),
        crf=tagger.crf,
        word_dropout=float(tagger.word_dropout),
        dropout=float(tagger.dropout),
        # The memoryless network has no recurrent layer to drop them in, and the parameter's default is above 0.
        input_dropout=0.0 if tagger.model == "memoryless" else float(tagger.input_dropout),
        recurrent_dropout=0.0 if tagger.model == "memoryless" else float(tagger.recurrent_dropout),
        **cell_options(tagger),
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


class _Batches(DrawnBatches):
    """Training batches of sentences of like length without end: ids, mask and tags, an order that resumes."""

    def __init__(self, ids: list[list[int]], tags: list[list[int]], size: int, seed: int) -> None:
        self._ids, self._tags = ids, tags
        super().__init__(LengthBuckets([len(sentence) for sentence in ids], size, seed))

    def __next__(self) -> tuple[Tensor, Tensor, Tensor]:
        places = next(self._order)
        ids, mask = pad_sequences([self._ids[i] for i in places])
        # −1 is no tag: padding is left out of the loss.
        tags, _ = pad_sequences([self._tags[i] for i in places], value=-1)
        return torch.from_numpy(ids), torch.from_numpy(mask), torch.from_numpy(tags)


@dataclass(frozen=True, eq=False)
class Fitted:
    """What a fit finds: the words and tags that are known, what predicts, how it was trained, and what to say of it."""

    vocabulary: Vocabulary
    tags: tuple[str, ...]
    model: FrequentTags | TaggingNetwork
    history: History | None
    n_parameters: int
    notes: list[str]


def learn(tagger: SequenceTagger, train: Tagged, held: Tagged, checkpoints: Checkpointing) -> Fitted:
    """Number the words and tags of the training sentences, then count the baseline or train the network."""
    vocabulary = Vocabulary.fit([tagger._words(words) for words in train[0]], min_count=int(tagger.min_count))
    tags = tuple(sorted({tag for sentence in train[1] for tag in sentence}))
    ids, held_ids = ([vocabulary.ids(tagger._words(words)) for words in part[0]] for part in (train, held))
    number = {tag: k for k, tag in enumerate(tags)}
    marks = [[number[tag] for tag in sentence] for sentence in train[1]]
    held_marks = [[number.get(tag, -1) for tag in sentence] for sentence in held[1]]
    notes = _notes(tags, held)
    if tagger.model == "frequent":
        counted = FrequentTags.fit(ids, marks, len(vocabulary), len(tags))
        return Fitted(vocabulary, tags, counted, None, len(vocabulary), notes)
    spec = tagger_spec(tagger, len(vocabulary), len(tags))
    check_memory(spec, tagger.optimizer, min(int(tagger.batch_size), len(ids)))
    unknown = vocabulary.unknown_id
    assert unknown is not None
    network = build_tagging_network(spec, unknown, derive_seed(int(tagger.seed), spec.name, "weights"))
    batches = _Batches(ids, marks, int(tagger.batch_size), derive_seed(int(tagger.seed), spec.name, "batches"))

    def loss(module: nn.Module, batch: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        assert isinstance(module, TaggingNetwork)
        return module.loss(*batch)

    def validate(module: nn.Module) -> dict[str, float]:
        assert isinstance(module, TaggingNetwork)
        found = [[tags[k] for k in best] for best in _network_tags(module, held_ids)]
        pairs = [(a, b) for gold, ours in zip(held[1], found) for a, b in zip(gold, ours)]
        wrong = sum(a != b for a, b in pairs) / len(pairs)
        spans, _ = score_spans(held[1], found)
        # Of two epochs with the same F1 the one with fewer wrong words is kept.
        error = (1 - spans.f1) + 1e-3 * wrong if spans.actual else wrong
        return {"error": error, "word_error": wrong, **_held_loss(module, held_ids, held_marks)}

    history = checkpoints.train(
        network,
        batches,
        loss,
        settings=fit_settings(tagger, len(ids), monitor="error"),
        validate=validate,
        signature={
            "network": spec.to_json(),
            # What fixes the order (seed, sizes), but not where it stands.
            "batches": {k: v for k, v in batches.state().items() if k not in ("epoch", "position")},
            "data": fingerprint([train, held]),
        },
    )
    return Fitted(vocabulary, tags, network.eval(), history, weights_of(network), notes)


def _held_loss(network: TaggingNetwork, ids: list[list[int]], marks: list[list[int]]) -> dict[str, float]:
    """The training's loss on sentences whose tags are all known, of their number; none where there is none."""
    known = [i for i, sentence in enumerate(marks) if sentence and min(sentence) >= 0]
    if not known:
        return {}
    was_training, total = network.training, 0.0
    network.eval()
    with torch.no_grad():
        for batch in LengthSorted([len(ids[i]) for i in known], _SCORED_AT_ONCE):
            padded, mask = pad_sequences([ids[known[i]] for i in batch])
            tags, _ = pad_sequences([marks[known[i]] for i in batch], value=-1)
            loss = network.loss(torch.from_numpy(padded), torch.from_numpy(mask), torch.from_numpy(tags))
            total += loss.item() * len(batch)
    network.train(was_training)
    return {"loss": total / len(known)}


def _notes(tags: tuple[str, ...], held: Tagged) -> list[str]:
    """Which tags of the validation sentences can't be learned."""
    missing = sorted({tag for sentence in held[1] for tag in sentence} - set(tags))
    if not missing:
        return []
    return [
        f"The training sentences have no example of {len(missing)} of the validation sentences' tags "
        f"({', '.join(missing[:5])}{', …' if len(missing) > 5 else ''}), which can't be learned."
    ]


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

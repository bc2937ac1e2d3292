"""What `Seq2Seq.fit` does once pairs are checked: make tokens of them, keep them or train the network; and writing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from seqloom_runtime.data.parts import split_examples
from seqloom_runtime.data.text import LengthBuckets, LengthSorted, pad_sequences
from seqloom_runtime.errors import DataError
from seqloom_runtime.translation.predictor import LONGER, spelled
from seqloom_runtime.translation.remembered import Memory
from seqloom_runtime.translation.texts import same
from seqloom_runtime.translation.tokens import Tokens, level_for
from seqloom_runtime.writing import Written

from ...training import History, derive_seed
from ..checkpointing import Checkpointing
from ..comparison.fingerprint import fingerprint
from ..drawn_batches import DrawnBatches
from ..memory import count_weights, refuse_too_large, weights_of
from ..training_parameters import fit_settings
from .decoding import searched
from .network import TranslationNetwork, TranslationSpec, build_translation_network

if TYPE_CHECKING:
    from .model import Seq2Seq

__all__ = [
    "Fitted",
    "check_memory",
    "learn",
    "most_written",
    "padded",
    "split_pairs",
    "translation_spec",
    "write",
]

Pairs = tuple[list[str], list[str]]
_AT_ONCE = 64  # sources that are written side by side
_JUDGED = 500  # validation pairs that are written after each epoch


def split_pairs(data: Pairs, fraction: float, seed: int) -> tuple[Pairs, Pairs]:
    """A random `fraction` of the pairs apart, those of one source together; DataError where there are too few."""
    seed = derive_seed(seed, "validation pairs")
    kept, held, _ = split_examples(len(data[0]), fraction, 0.0, seed=seed, groups=data[0])

    def take(places: np.ndarray) -> Pairs:
        return [data[0][i] for i in places], [data[1][i] for i in places]

    return take(kept), take(held)


def translation_spec(model: Seq2Seq, sources: int, targets: int) -> TranslationSpec:
    """The network's shape; raises SettingError for options that don't go together."""
    return TranslationSpec(
        name=model.model,
        sources=sources,
        targets=targets,
        embedding_size=int(model.embedding_size),
        units=int(model.units),
        layers=int(model.layers),
        bidirectional=bool(model.bidirectional),
        attention=model.attention,
        dropout=float(model.dropout),
        input_dropout=float(model.input_dropout),
        recurrent_dropout=float(model.recurrent_dropout),
        between_dropout=float(model.between_dropout),
        scheduled_sampling=float(model.scheduled_sampling),
        encoder=model.encoder,
        **(
            {} if model.encoder == "recurrent" else {"levels": int(model.levels), "kernel_size": int(model.kernel_size)}
        ),
    )


def most_written(model: Seq2Seq) -> int:
    """Tokens that a written text may have at the very most."""
    return int(model.max_length) + LONGER


def check_memory(spec: TranslationSpec, optimizer: str, batch_size: int = 0, steps: int = 1) -> None:
    """Raise SettingError where training needs more memory than there is; steps: tokens of a text."""
    refuse_too_large(
        spec.name,
        count_weights(lambda: build_translation_network(spec, 0)),
        optimizer,
        grows_with="embedding_size" if spec.embedding_size > spec.units else "units",
        batch_size=batch_size,
        row=steps * (2 * spec.embedding_size + spec.read_width + spec.units + spec.targets),
    )


class _Batches(DrawnBatches):
    """Training batches of pairs of like length without end, in an order that resumes: see `padded`."""

    def __init__(self, ids: list[list[int]], targets: list[list[int]], end: int, size: int, seed: int) -> None:
        self._ids, self._targets, self._end = ids, targets, end
        lengths = [len(source) + len(target) for source, target in zip(ids, targets)]
        super().__init__(LengthBuckets(lengths, size, seed))

    def __next__(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        places = next(self._order)
        return padded([self._ids[i] for i in places], [self._targets[i] for i in places], self._end)


def padded(ids: Sequence[list[int]], targets: Sequence[list[int]], end: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Sources (B, T) and their mask; targets (B, K) behind the start, and before the end, −1 behind it."""
    source, mask = pad_sequences(ids)
    before, _ = pad_sequences([[end, *target] for target in targets])
    after, _ = pad_sequences([[*target, end] for target in targets], value=-1)
    found = (source, mask, before, after)
    return tuple(torch.from_numpy(array) for array in found)  # type: ignore[return-value]  # four, as `found` has


@dataclass(frozen=True, eq=False)
class Fitted:
    """What a fit finds: the tokens, what writes, how it was trained, and what to say of it.

    level: of the tokens. longest: tokens that a written text may have, its end among them.
    """

    level: str
    source: Tokens
    target: Tokens
    longest: int
    model: Memory | TranslationNetwork
    history: History | None
    n_parameters: int
    notes: list[str]


def learn(model: Seq2Seq, train: Pairs, held: Pairs, checkpoints: Checkpointing) -> Fitted:
    """Make tokens of the training pairs, then keep them as they are or train the network."""
    level, notes = model.level, []
    if level is None:
        level, why = level_for(*train)
        notes.append(why)
    most = None if model.max_words is None else int(model.max_words)
    source, target = (Tokens.fit(side, level, most, int(model.min_count)) for side in train)
    ids, targets = [source.ids(text) for text in train[0]], [target.ids(text) for text in train[1]]
    if model.model == "memory":
        longest = max(map(len, targets)) + 1
        return Fitted(level, source, target, longest, Memory(*train), None, sum(map(len, train[1])), notes)
    ids, targets = _short(ids, targets, int(model.max_length), notes)
    longest = max(map(len, targets)) + LONGER
    spec = translation_spec(model, len(source.vocabulary), len(target.vocabulary))
    steps = max(max(map(len, ids)), longest)
    check_memory(spec, model.optimizer, min(int(model.batch_size), len(ids)), steps)
    seed = int(model.seed)
    network = build_translation_network(spec, derive_seed(seed, spec.name, "weights"))
    batches = _Batches(ids, targets, network.end, int(model.batch_size), derive_seed(seed, spec.name, "batches"))
    judged = _judged(held, seed)
    judge = _Judge(source, target, judged, int(model.max_length), longest)

    def loss(module: nn.Module, batch: tuple[Tensor, Tensor, Tensor, Tensor]) -> Tensor:
        assert isinstance(module, TranslationNetwork)
        return module.loss(*batch)

    history = checkpoints.train(
        network,
        batches,
        loss,
        settings=fit_settings(model, len(ids), monitor="error"),
        validate=judge,
        signature={
            "network": spec.to_json(),
            "batches": {k: v for k, v in batches.state().items() if k not in ("epoch", "position")},
            "data": fingerprint([train, judged]),
        },
    )
    if len(judged[0]) < len(held[0]):
        notes.append(f"The epoch was chosen by {_JUDGED} of the {len(held[0]):,} validation pairs, drawn at random.")
    return Fitted(level, source, target, longest, network.eval(), history, weights_of(network), notes)


def _short(ids: list[list[int]], targets: list[list[int]], most: int, notes: list[str]) -> tuple[Any, Any]:
    """The pairs of which neither side is longer than `most`, and a note of the others; DataError where none is left."""
    kept = [i for i in range(len(ids)) if max(len(ids[i]), len(targets[i])) <= most]
    if not kept:
        shortest = min(max(len(a), len(b)) for a, b in zip(ids, targets))
        raise DataError(
            f"The training data: every pair has a side of more than {most} tokens, the shortest {shortest}; set "
            "max_length higher, or split the texts."
        )
    left = len(ids) - len(kept)
    if left:
        notes.append(
            f"{left:,} of {len(ids):,} training pairs have a side of more than {most} tokens and were left out; "
            "max_length sets the limit."
        )
    return [ids[i] for i in kept], [targets[i] for i in kept]


def _judged(held: Pairs, seed: int) -> Pairs:
    if len(held[0]) <= _JUDGED:
        return held
    drawn = np.random.default_rng(derive_seed(seed, "judged pairs")).permutation(len(held[0]))[:_JUDGED]
    return tuple([side[i] for i in np.sort(drawn)] for side in held)  # type: ignore[return-value]  # two sides


class _Judge:
    """What validation says of a network: the share of texts that are not written exactly, greedily, and the loss."""

    def __init__(self, source: Tokens, target: Tokens, held: Pairs, most: int, longest: int) -> None:
        self.source, self.target, self.longest, self.sources = source, target, longest, held[0]
        self.ids, self.texts = [source.ids(text)[:most] for text in held[0]], held[1]
        self.targets = [target.ids(text) for text in held[1]]

    def __call__(self, module: nn.Module) -> dict[str, float]:
        assert isinstance(module, TranslationNetwork)
        written = write(module, self.ids, self.longest)
        found = [spelled(self.source, self.target, *one) for one in zip(self.sources, written)]
        right = sum(same(a, b) for a, b in zip(self.texts, found)) / len(self.texts)
        loss = self._loss(module)
        # Of two epochs with as many right the one with the lower loss is kept; it never outweighs a text.
        return {"error": (1 - right) + 1e-3 * min(loss, 100.0) / len(self.texts), "exact_match": right, "loss": loss}

    def _loss(self, network: TranslationNetwork) -> float:
        total, count = 0.0, 0
        with torch.no_grad():
            for batch in LengthSorted([len(ids) for ids in self.ids], _AT_ONCE):
                whole = padded([self.ids[i] for i in batch], [self.targets[i] for i in batch], network.end)
                tokens = int((whole[3] >= 0).sum())
                total, count = total + network.loss(*whole).item() * tokens, count + tokens
        return total / count


def write(
    network: TranslationNetwork,
    ids: Sequence[list[int]],
    longest: int,
    *,
    beams: int = 1,
    strength: float = 0.0,
    unknown: int | None = 1,
) -> list[Written]:
    """The text of each source (at least one token). unknown: an id that is only written with attention, which says what
    of the source stands there; never without."""
    found: list[Any] = [None] * len(ids)
    was_training = network.training
    network.eval()
    barred = [0] if network.attention is not None or unknown is None else [0, unknown]
    with torch.no_grad():
        for places in LengthSorted([len(row) for row in ids], max(1, _AT_ONCE // beams)):
            padded_ids, mask = (torch.from_numpy(a) for a in pad_sequences([ids[i] for i in places]))
            texts = searched(
                network, network.encode(padded_ids, mask), barred, beams=beams, strength=strength, longest=longest
            )
            for place, text in zip(places, texts):
                found[place] = text
    network.train(was_training)
    return found

"""What `Transcriber.fit` does once data is checked: make frames and tokens, keep them or train the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from seqloom_runtime.data.parts import split_examples
from seqloom_runtime.data.text import LengthBuckets, LengthSorted, pad_sequences
from seqloom_runtime.errors import DataError, shown
from seqloom_runtime.transcription.decoding import greedy, without_unknown
from seqloom_runtime.transcription.frames import frames_of, moments, rate_of, standardised
from seqloom_runtime.transcription.nearest import Nearest, summary
from seqloom_runtime.translation.tokens import Tokens

from ...diagnostics.edit_distance import error_rate
from ...training import History, derive_seed
from ..cell_parameters import cell_options
from ..checkpointing import Checkpointing
from ..comparison.fingerprint import fingerprint
from ..drawn_batches import DrawnBatches
from ..memory import count_weights, refuse_too_large, weights_of
from ..training_parameters import fit_settings
from .language import language_of
from .network import TranscriptionNetwork, TranscriptionSpec, build_transcription_network, needed
from .searching import BEAMS, chosen_beams

if TYPE_CHECKING:
    from .model import Transcriber

__all__ = [
    "Fitted",
    "check_memory",
    "learn",
    "level_of",
    "outputs",
    "padded",
    "split_sounds",
    "transcription_spec",
    "without_unknown",
]

Pairs = tuple[list[Any], list[str]]
_AT_ONCE = 32  # sounds that are read side by side
_JUDGED = 500  # validation sounds that are read after each epoch
_WORDS, _RECURS = 100, 5.0


def split_sounds(data: Pairs, fraction: float, seed: int) -> tuple[Pairs, Pairs]:
    """A random `fraction` of the sounds apart; DataError where there are too few."""
    kept, held, _ = split_examples(len(data[0]), fraction, 0.0, seed=derive_seed(seed, "validation sounds"))

    def take(places: np.ndarray) -> Pairs:
        return [data[0][i] for i in places], [data[1][i] for i in places]

    return take(kept), take(held)


def level_of(texts: Sequence[str]) -> tuple[str, str]:
    """Words where at most 100 different ones come, five times in the mean; else characters; and why.

    >>> level_of(["one two", "two one"] * 5)[0], level_of(["a quick fox", "lazy dogs"])[0]
    ('word', 'char')
    """
    words = [word for text in texts for word in text.split()]
    different = len(set(words))
    few = different <= _WORDS and len(words) >= _RECURS * different
    level, other = ("word", "char") if few else ("char", "word")
    why = "few different words recur" if few else f"there are {different:,} different words, or they seldom recur"
    return level, f"Tokens are {level}s, as {why}; say level='{other}' for the other.".replace("chars", "characters")


def transcription_spec(model: Transcriber, inputs: int, symbols: int) -> TranscriptionSpec:
    """The network's shape; raises SettingError for options that don't go together."""
    return TranscriptionSpec(
        name=model.model,
        inputs=inputs,
        symbols=symbols,
        channels=tuple(map(int, model.channels)),
        kernel_size=int(model.kernel_size),
        pool_size=int(model.pool_size),
        units=int(model.units),
        layers=int(model.layers),
        bidirectional=bool(model.bidirectional),
        dropout=float(model.dropout),
        input_dropout=float(model.input_dropout),
        recurrent_dropout=float(model.recurrent_dropout),
        between_dropout=float(model.between_dropout),
        band_mask=int(model.band_mask),
        frame_mask=int(model.frame_mask),
        **cell_options(model),
    )


def check_memory(spec: TranscriptionSpec, optimizer: str, batch_size: int = 0, frames: int = 1) -> None:
    """Raise SettingError where training needs more memory than there is; frames: of the longest sound."""
    refuse_too_large(
        spec.name,
        count_weights(lambda: build_transcription_network(spec, 0)),
        optimizer,
        grows_with="units",
        batch_size=batch_size,
        row=frames * (spec.inputs + max(spec.body.channels, default=0))
        + spec.steps(frames) * (spec.body.output_size + spec.symbols),
    )


class _Batches(DrawnBatches):
    """Training batches of sounds of like length without end, in an order that resumes: see `padded`."""

    def __init__(self, frames: list[np.ndarray], ids: list[list[int]], size: int, seed: int) -> None:
        self._frames, self._ids = frames, ids
        super().__init__(LengthBuckets(list(map(len, frames)), size, seed))

    def __next__(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        places = next(self._order)
        return padded([self._frames[i] for i in places], [self._ids[i] for i in places])


def padded(frames: Sequence[np.ndarray], ids: Sequence[list[int]]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """x (B, T, F) with zeros behind each sound, mask (B, T), targets (B, K) and how many each row has (B,)."""
    x = np.zeros((len(frames), max(map(len, frames)), frames[0].shape[1]), dtype=np.float32)
    mask = np.zeros(x.shape[:2], dtype=bool)
    for row, one in enumerate(frames):
        x[row, : len(one)], mask[row, : len(one)] = one, True
    targets, there = pad_sequences(ids)
    return torch.from_numpy(x), torch.from_numpy(mask), torch.from_numpy(targets), torch.from_numpy(there.sum(axis=1))


@dataclass(frozen=True, eq=False)
class Fitted:
    """What a fit finds: the tokens, what frames are brought to, what reads them, how it was trained, what to say of it.

    rate: of the sounds, None where frames were given. mean, scale (F,): of the frames of training. language: the
    language model of the beam search or None. beams: of that search, 1 where texts are read greedily.
    """

    level: str
    symbols: Tokens
    rate: int | None
    mean: np.ndarray
    scale: np.ndarray
    model: Nearest | TranscriptionNetwork
    language: Any
    beams: int
    history: History | None
    n_parameters: int
    notes: list[str]


def learn(model: Transcriber, train: Pairs, held: Pairs, checkpoints: Checkpointing) -> Fitted:
    """Make frames and tokens of the training part, then keep them or train the network."""
    level, notes = model.level, []
    if level is None:
        level, why = level_of(train[1])
        notes.append(why)
    symbols = Tokens.fit(train[1], level)
    rate = rate_of(train[0], model.sample_rate)
    how = {"mels": int(model.mels), "shift": float(model.frame_shift), "convert": bool(model.convert_rate)}
    frames = frames_of(train[0], rate, **how, notes=notes)
    mean, scale = moments(frames)
    frames = standardised(frames, mean, scale)
    if model.model == "nearest":
        nearest = Nearest(np.stack([summary(one) for one in frames]), train[1])
        return Fitted(level, symbols, rate, mean, scale, nearest, None, 1, None, nearest.summaries.size, notes)
    language = language_of(model, symbols, notes)
    ids = [symbols.ids(text) for text in train[1]]
    spec = transcription_spec(model, len(mean), len(symbols.vocabulary))
    _refuse_short(spec, train, frames, ids)
    check_memory(spec, model.optimizer, min(int(model.batch_size), len(ids)), max(map(len, frames)))
    seed = int(model.seed)
    network = build_transcription_network(spec, derive_seed(seed, spec.name, "weights"))
    batches = _Batches(frames, ids, int(model.batch_size), derive_seed(seed, spec.name, "batches"))
    judged = _judged(held, seed)
    judge = _Judge(symbols, standardised(frames_of(judged[0], rate, **how, notes=notes), mean, scale), judged[1])
    history = checkpoints.train(
        network,
        batches,
        _loss,
        settings=fit_settings(model, len(ids), monitor="error"),
        validate=judge,
        signature={
            "network": spec.to_json(),
            "batches": {k: v for k, v in batches.state().items() if k not in ("epoch", "position")},
            "data": fingerprint([frames, train[1], judge.frames, judged[1]]),
        },
    )
    if len(judged[0]) < len(held[0]):
        notes.append(f"The epoch was chosen by {_JUDGED} of the {len(held[0]):,} validation sounds, drawn at random.")
    count = weights_of(network)
    beams = BEAMS if model.beams is None else int(model.beams)
    if model.beams is None and language is None:
        found = [without_unknown(p, symbols.unknown) for p in outputs(network, judge.frames)]
        beams = chosen_beams(model, found, judged[1], symbols, notes)
    return Fitted(level, symbols, rate, mean, scale, network.eval(), language, beams, history, count, notes)


def _loss(module: nn.Module, batch: tuple[Tensor, Tensor, Tensor, Tensor]) -> Tensor:
    assert isinstance(module, TranscriptionNetwork)
    return module.loss(*batch)


def _refuse_short(spec: TranscriptionSpec, data: Pairs, frames: Sequence[np.ndarray], ids: Sequence[list[int]]) -> None:
    """Raise DataError, saying which, where a sound has fewer steps than CTC needs for its text."""
    for number, (one, own) in enumerate(zip(frames, ids)):
        steps, least = spec.steps(len(one)), needed(own)
        if steps < least:
            where = getattr(data[0][number], "name", "") or f"training sounds, sound {number}"
            less = "a smaller pool_size, frame_shift or fewer channels" if spec.stride > 1 else "a smaller frame_shift"
            raise DataError(
                f"{where}: {len(one)} frames leave {steps} steps, its text {shown(data[1][number])} needs {least} "
                f"(one for each token, and one between equal ones); use {less}, or leave it out."
            )


def _judged(held: Pairs, seed: int) -> Pairs:
    if len(held[0]) <= _JUDGED:
        return held
    drawn = np.random.default_rng(derive_seed(seed, "judged sounds")).permutation(len(held[0]))[:_JUDGED]
    return tuple([side[i] for i in np.sort(drawn)] for side in held)  # type: ignore[return-value]  # two sides


def outputs(network: TranscriptionNetwork, frames: Sequence[np.ndarray]) -> list[np.ndarray]:
    """ln P (S, V) of each sound."""
    found: list[Any] = [None] * len(frames)
    was_training = network.training
    network.eval()
    with torch.no_grad():
        for places in LengthSorted(list(map(len, frames)), _AT_ONCE):
            x, mask, _, _ = padded([frames[i] for i in places], [[]] * len(places))
            p, steps = network(x, mask)
            for place, one, count in zip(places, p.numpy(), steps.tolist()):
                found[place] = one[:count]
    network.train(was_training)
    return found


class _Judge:
    """What validation says of a network: word and character error rate, read greedily, and the loss of a token."""

    def __init__(self, symbols: Tokens, frames: list[np.ndarray], texts: list[str]) -> None:
        self.symbols, self.frames, self.texts = symbols, frames, texts
        self.ids = [symbols.ids(text) for text in texts]

    def __call__(self, module: nn.Module) -> dict[str, float]:
        assert isinstance(module, TranscriptionNetwork)
        found = outputs(module, self.frames)
        read = [self.symbols.text(greedy(without_unknown(p, self.symbols.unknown))) for p in found]
        wer = error_rate([text.split() for text in self.texts], [text.split() for text in read])
        loss = self._loss(module.spec, found)
        # Of two epochs with as many wrong the one with the lower loss is kept; it never outweighs a word.
        return {
            "error": wer + 1e-3 * min(loss, 100.0) / sum(len(text.split()) for text in self.texts),
            "wer": wer,
            "cer": error_rate(self.texts, read),
            "loss": loss,
        }

    def _loss(self, spec: TranscriptionSpec, found: list[np.ndarray]) -> float:
        """Over the texts that can be written: of known tokens, and short enough."""
        total, count = 0.0, 0
        for p, ids in zip(found, self.ids):
            if self.symbols.unknown not in ids and needed(ids) <= len(p):
                sizes = torch.tensor([len(p)]), torch.tensor([len(ids)])
                value = nn.functional.ctc_loss(
                    torch.from_numpy(p)[:, None], torch.tensor([ids]), *sizes, blank=0, reduction="sum"
                )
                total, count = total + value.item(), count + len(ids)
        return total / count if count else 0.0

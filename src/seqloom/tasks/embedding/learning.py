"""Training word vectors: epochs of blocks, each drawn from the seed and its number, so that a run resumes exactly."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from seqloom_runtime.errors import FormatError, Interrupted, SettingError, TrainingError, shown
from seqloom_runtime.files import folder_lock

from ...ops.word_vectors import glove_steps, negative_sampling
from ...training import Done, EpochDone, EpochRow, History, Saved, StepDone, TrainStart, derive_seed
from ...training.checkpoint import CheckpointFolder
from ...training.interrupts import catch_interrupt
from ..checkpointing import Checkpointing
from .examples import Cooccurrences, Sampler, Tokens, cooccurrences

if TYPE_CHECKING:
    from .model import WordEmbedder

__all__ = ["RATES", "initial", "train"]

RATES = {"skip-gram": 0.025, "cbow": 0.05, "glove": 0.05}
"""Learning rates of the published programs."""
_LEAST = 1e-4  # of the rate: where the straight line of word2vec ends
_TOKENS, _ENTRIES = 10_000, 200_000  # of a block
_TELL_EVERY = 0.05  # seconds between two StepDone events
_SAVE_EVERY = 60.0  # seconds between two checkpoints within an epoch

Block = Callable[[dict[str, np.ndarray], int, int], tuple[float, int, float]]
"""Take the steps of a block: (tables, epoch, block) to the sum of the losses, the examples and the rate."""


@dataclass
class _State:
    """All that changes while it trains."""

    tables: dict[str, np.ndarray]
    epoch: int = 0  # epochs that ended
    block: int = 0  # blocks of the epoch under way
    loss: float = 0.0
    examples: int = 0
    rows: list[EpochRow] = field(default_factory=list)

    def values(self) -> dict[str, Any]:
        kept = {name: getattr(self, name) for name in ("epoch", "block", "loss", "examples")}
        return {**kept, "rows": [row.to_json() for row in self.rows]}


def initial(model: str, words: int, size: int, seed: int) -> dict[str, np.ndarray]:
    """The tables before the first step, as the published programs start them.

    word2vec: "in" (V, D) uniform within ±½/D, "out" zeros. GloVe: "word" and "context" (V, D + 1) uniform within
    ±½/(D + 1), their sums of squares ones. random: "in" alone.
    """
    random = np.random.Generator(np.random.Philox(key=derive_seed(seed, "embedding", "start")))

    def uniform(width: int) -> np.ndarray:
        return ((random.random((words, width), dtype=np.float32) - np.float32(0.5)) / np.float32(width)).copy()

    if model == "glove":
        tables = {"word": uniform(size + 1), "context": uniform(size + 1)}
        return tables | {f"{name}_squares": np.ones_like(table) for name, table in list(tables.items())}
    return {"in": uniform(size), **({"out": np.zeros((words, size), np.float32)} if model != "random" else {})}


def train(
    model: WordEmbedder,
    epochs: int,
    tokens: Tokens,
    counts: np.ndarray,
    where: Checkpointing,
    validate: Callable[[np.ndarray], Mapping[str, float]],
) -> tuple[np.ndarray, History]:
    """The vectors (V, D) that the text gives, and what was recorded.

    With a directory each epoch and each minute is saved; resumed, it goes on to the same bits. Ctrl-C lets the block
    under way finish, saves, and raises Interrupted. Raises TrainingError where a number is no longer finite.
    """
    make = _glove if model.model == "glove" else _word2vec
    step, blocks = make(model, epochs, tokens, counts)
    state = _State(initial(model.model, len(counts), int(model.embedding_size), int(model.seed)))
    signature = _signature(model, tokens, counts)
    with contextlib.ExitStack() as stack:
        folder = None
        if where.directory is not None:
            where.directory.mkdir(parents=True, exist_ok=True)
            stack.enter_context(folder_lock(where.directory))
            folder = CheckpointFolder(where.directory)
            if where.resume:
                _restore(state, folder, signature)
            elif folder.latest.exists():
                raise SettingError(
                    f"directory: {where.directory} is not empty; choose another folder, or give resume=True."
                )
        stopped = stack.enter_context(catch_interrupt())
        history = _run(epochs, state, step, blocks, where, folder, signature, validate, stopped)
    return vectors_of(state.tables), history


def vectors_of(tables: Mapping[str, np.ndarray]) -> np.ndarray:
    """(V, D) of the tables: what word2vec reads with; the sum of both of GloVe, without biases."""
    if "word" in tables:
        return np.ascontiguousarray((tables["word"] + tables["context"])[:, :-1])
    return tables["in"]


def _run(
    epochs: int,
    state: _State,
    step: Block,
    blocks: int,
    where: Checkpointing,
    folder: CheckpointFolder | None,
    signature: Mapping[str, Any],
    validate: Callable[[np.ndarray], Mapping[str, float]],
    stopped: Any,
) -> History:
    tell = where.on_event or (lambda event: None)
    seconds: list[float | None] = [None] * state.epoch
    numbers = sum(table.size for table in state.tables.values())

    def save(kind: str) -> None:
        if folder is None:
            return
        at = state.epoch * blocks + state.block
        tensors = {f"weights/{name}": torch.from_numpy(table) for name, table in state.tables.items()}
        path = folder.write({**state.values(), "signature": dict(signature)}, tensors, step=at, kind=kind)
        tell(Saved(path, state.epoch, at))

    tell(TrainStart(epochs, blocks, numbers, state.epoch, state.epoch * blocks + state.block, 1, 1))
    while state.epoch < epochs:
        began, whole = time.perf_counter(), state.block == 0
        for event in _epoch(state, step, blocks):
            tell(event)
            if stopped.pressed:
                save("stopped")
                raise Interrupted("Interrupted; the training so far is saved." if folder else "Interrupted.")
            if folder is not None and time.perf_counter() - began > _SAVE_EVERY and state.block < blocks:
                save("within")
                began, whole = time.perf_counter(), False
        seconds.append(round(time.perf_counter() - began, 4) if whole else None)
        row = _end_epoch(state, blocks, step, validate)
        tell(EpochDone(row, seconds[-1], True))
        save("epoch")
    rows = tuple(state.rows)
    history = History(rows, "loss", len(rows) or None, rows[-1].train_loss if rows else None, False, tuple(seconds))
    tell(Done(history))
    return history


def _epoch(state: _State, step: Block, blocks: int) -> Iterator[StepDone]:
    """The blocks of an epoch that are left; now and then an event, and after the last block none."""
    last = time.perf_counter()
    while state.block < blocks:
        loss, examples, rate = step(state.tables, state.epoch, state.block)
        state.loss, state.examples, state.block = state.loss + loss, state.examples + examples, state.block + 1
        if not np.isfinite(state.loss):
            raise TrainingError(
                f"The loss is {state.loss} in epoch {state.epoch + 1}, block {state.block}; lower learning_rate, now "
                f"{rate:.3g}."
            )
        if time.perf_counter() - last > _TELL_EVERY:
            last, at = time.perf_counter(), state.epoch * blocks + state.block
            mean = loss / max(1, examples)
            yield StepDone(state.epoch + 1, at, state.block, blocks, mean, 0.0, rate)


def _end_epoch(
    state: _State, blocks: int, step: Block, validate: Callable[[np.ndarray], Mapping[str, float]]
) -> EpochRow:
    rate = getattr(step, "rate", lambda epoch, block: 0.0)(state.epoch, blocks - 1)
    state.epoch, state.block = state.epoch + 1, 0
    valid = dict(validate(vectors_of(state.tables)))
    mean = state.loss / max(1, state.examples)
    state.rows.append(EpochRow(state.epoch, state.epoch * blocks, rate, mean, valid=valid))
    state.loss, state.examples = 0.0, 0
    return state.rows[-1]


class _Word2vec:
    """The blocks of skip-gram and CBOW."""

    def __init__(self, model: WordEmbedder, epochs: int, tokens: Tokens, counts: np.ndarray) -> None:
        self.tokens, self.seed, self.join = tokens, int(model.seed), model.model == "cbow"
        self.sampler = Sampler(counts, int(model.window), int(model.negatives), float(model.subsample))
        self.blocks = -(-len(tokens) // _TOKENS)
        self.first = RATES[model.model] if model.learning_rate is None else float(model.learning_rate)
        self.total = self.blocks * epochs

    def rate(self, epoch: int, block: int) -> float:
        """A straight line to nearly 0 over all blocks of all epochs."""
        done = (epoch * self.blocks + block) / self.total
        return self.first * max(1.0 - done, _LEAST)

    def __call__(self, tables: dict[str, np.ndarray], epoch: int, block: int) -> tuple[float, int, float]:
        part = slice(block * _TOKENS, (block + 1) * _TOKENS)
        own = Tokens(self.tokens.ids[part], self.tokens.lines[part])
        random = _random(self.seed, epoch, block)
        inputs, starts, targets = self.sampler.examples(own, random, join=self.join)
        rate = self.rate(epoch, block)
        return negative_sampling(tables["in"], tables["out"], inputs, starts, targets, rate), len(targets), rate


class _Glove:
    """The blocks of GloVe: the counts in a new order each epoch."""

    def __init__(self, model: WordEmbedder, counted: Cooccurrences) -> None:
        self.counted, self.seed = counted, int(model.seed)
        self.logs = np.log(counted.values)
        share = np.minimum(1.0, counted.values / np.float32(model.x_max))
        self.weights = (share ** np.float32(0.75)).astype(np.float32)
        self.blocks = -(-len(self.logs) // _ENTRIES)
        self.first = RATES["glove"] if model.learning_rate is None else float(model.learning_rate)
        self.order: tuple[int, np.ndarray] | None = None

    def rate(self, epoch: int, block: int) -> float:
        """The same throughout: AdaGrad makes the steps smaller."""
        return self.first

    def __call__(self, tables: dict[str, np.ndarray], epoch: int, block: int) -> tuple[float, int, float]:
        if self.order is None or self.order[0] != epoch:
            self.order = (epoch, _random(self.seed, epoch, -1).permutation(len(self.logs)))
        own = self.order[1][block * _ENTRIES : (block + 1) * _ENTRIES]
        loss = glove_steps(
            tables["word"],
            tables["context"],
            tables["word_squares"],
            tables["context_squares"],
            self.counted.left[own],
            self.counted.right[own],
            self.logs[own],
            self.weights[own],
            self.first,
        )
        return loss, len(own), self.first


def _word2vec(model: WordEmbedder, epochs: int, tokens: Tokens, counts: np.ndarray) -> tuple[Block, int]:
    made = _Word2vec(model, epochs, tokens, counts)
    return made, made.blocks


def _glove(model: WordEmbedder, epochs: int, tokens: Tokens, counts: np.ndarray) -> tuple[Block, int]:
    made = _Glove(model, cooccurrences(tokens, len(counts), int(model.window)))
    return made, made.blocks


def _random(seed: int, epoch: int, block: int) -> np.random.Generator:
    # A stream of its own for every block: nothing of it has to be saved.
    return np.random.Generator(np.random.Philox(key=derive_seed(seed, "embedding", str(epoch), str(block))))


def _signature(model: WordEmbedder, tokens: Tokens, counts: np.ndarray) -> dict[str, Any]:
    from seqloom_runtime.saved_fields import plain

    # The sums name another text with fewer words than a hash, and cost nothing.
    text = {
        "tokens": len(tokens),
        "words": len(counts),
        "sum": int(tokens.ids.astype(np.int64) @ np.arange(len(tokens))),
    }
    return {"parameters": plain(model.get_params()), "text": text}


def _restore(state: _State, folder: CheckpointFolder, signature: Mapping[str, Any]) -> None:
    """Put the newest checkpoint into `state`, where there is one; raises FormatError for a damaged one."""
    found = folder.read()
    if found is None:
        return
    values = found.values
    if values.get("signature") != dict(signature):
        raise SettingError(
            f"resume: {folder.folder} was trained with other parameters or another text; give those, or start in "
            "another folder."
        )
    tables = {name: tensor.numpy() for name, tensor in found.part("weights").items()}
    expected = {name: table.shape for name, table in state.tables.items()}
    wrong = {name: table.shape for name, table in tables.items()} != expected
    if wrong or any(table.dtype != np.float32 or not np.isfinite(table).all() for table in tables.values()):
        raise FormatError(f"{found.path}: expected the tables {shown(expected)}; start in another folder.")
    try:
        state.rows = [EpochRow.from_json(row) for row in values["rows"]]
        state.epoch, state.block, state.examples = (int(values[name]) for name in ("epoch", "block", "examples"))
        state.loss = float(values["loss"])
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise FormatError(f"{found.path}: it misses a value ({error}); start in another folder.") from None
    state.tables = {name: np.ascontiguousarray(table).copy() for name, table in tables.items()}

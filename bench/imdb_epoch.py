"""Seconds an epoch of an LSTM or GRU on the IMDB reviews: ours, and the same Keras model on both of its backends.

    python -m bench.imdb_epoch [--cell lstm] [--texts 25000] [--rounds 3]

Embedding(20,000, 64), LSTM(64) or GRU(64) on the last 400 words, its last output, a sigmoid; Adam 1e-3, batches of 32,
binary cross-entropy. Ours draws texts of like length together and masks what is behind them, as `TextClassifier` does;
Keras has every text padded in front to 400 words, its common recipe, without a mask, its faster path. A row of ours on
those same padded batches stands beside them. Each runs in a process of its own, in turn; what is timed is a number of
steps after the first ones, which compile, scaled to the epoch.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench.in_turn import in_turn, ratio_table

__all__ = ["main"]

WORDS, SIZE, LONGEST, BATCH, WARM = 20_000, 64, 400, 32, 8
RUNS: dict[str, dict[str, str]] = {
    "seqloom": {},
    "seqloom, padded to 400": {},
    "keras jax": {"KERAS_BACKEND": "jax"},
    "keras tensorflow": {"KERAS_BACKEND": "tensorflow"},
}


def main() -> None:
    """Start each run in turn and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    folder = Path(os.environ.get("SEQLOOM_DATA", "../shared/data"))
    parser.add_argument("--data", type=Path, default=folder / "imdb" / "imdb_train.csv.gz")
    parser.add_argument("--cell", choices=["lstm", "gru"], default="lstm")
    parser.add_argument("--steps", type=int, default=150, help="timed steps of each run and round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--run", choices=list(RUNS), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run is not None:
        print("epoch", _run(arguments))
        return
    given = ["--data", str(arguments.data), "--cell", arguments.cell, "--steps", str(arguments.steps)]
    said = in_turn("bench.imdb_epoch", RUNS, given, rounds=arguments.rounds, threads=arguments.threads)
    seconds = {name: [float(text.rsplit("epoch ", 1)[1]) for text in texts] for name, texts in said.items()}
    print(ratio_table(f"{arguments.cell.upper()}({SIZE})", seconds, 1))


def _run(arguments: argparse.Namespace) -> float:
    """Seconds that one epoch takes."""
    from seqloom.data import WordTokenizer
    from seqloom_runtime.data.text import read_labelled
    from seqloom_runtime.text.encoding import encode_texts

    found = read_labelled(arguments.data, text="review", label="label")
    assert found.labels is not None
    classes = np.array([label == found.labels[0] for label in found.labels], dtype=np.int64)
    encoded = encode_texts(WordTokenizer(max_words=WORDS).fit(found.texts), found.texts, LONGEST, "last")
    if arguments.run == "seqloom":
        step = _own(arguments, encoded, classes)
    else:
        ids = np.zeros((len(encoded), LONGEST), dtype=np.int32)
        for row, length in enumerate(encoded.lengths):
            ids[row, LONGEST - length :] = encoded.ids[encoded.offsets[row] :][:length]
        step = (_keras if arguments.run.startswith("keras") else _own_padded)(arguments, ids, classes)
    for _ in range(WARM):
        step()
    began = time.perf_counter()
    for _ in range(arguments.steps):
        step()
    return (time.perf_counter() - began) / arguments.steps * len(classes) / BATCH


def _network(arguments: argparse.Namespace) -> tuple[Any, Callable[[Any, Any, Any], None]]:
    import torch

    from seqloom.tasks.text.networks import TextNetworkSpec, build_text_network

    torch.set_num_threads(arguments.threads)
    torch.set_flush_denormal(True)
    spec = TextNetworkSpec(arguments.cell, WORDS + 2, 2, LONGEST, embedding_size=SIZE, units=SIZE)
    network = build_text_network(spec, 1)
    optimizer = torch.optim.Adam(network.parameters(), fused=True)

    def train(ids: Any, lengths: Any, classes: Any) -> None:
        optimizer.zero_grad(set_to_none=True)
        logits = network(ids, lengths).squeeze(1)
        torch.nn.functional.binary_cross_entropy_with_logits(logits, classes.float()).backward()
        optimizer.step()

    return network, train


def _own(arguments: argparse.Namespace, encoded: Any, classes: np.ndarray) -> Callable[[], None]:
    from seqloom.tasks.text.batches import TextBatches

    _, train = _network(arguments)
    batches = TextBatches(encoded, classes, BATCH, seed=1)

    def step() -> None:
        (ids, lengths), labels = next(batches)
        train(ids, lengths, labels)

    return step


def _own_padded(arguments: argparse.Namespace, ids: np.ndarray, classes: np.ndarray) -> Callable[[], None]:
    import torch

    _, train = _network(arguments)
    draw = np.random.default_rng(1)
    lengths = torch.full((BATCH,), LONGEST)

    def step() -> None:
        rows = draw.integers(len(ids), size=BATCH)
        train(torch.from_numpy(ids[rows]).long(), lengths, torch.from_numpy(classes[rows]))

    return step


def _keras(arguments: argparse.Namespace, ids: np.ndarray, classes: np.ndarray) -> Callable[[], None]:
    import keras as k

    cell = {"lstm": k.layers.LSTM, "gru": k.layers.GRU}[arguments.cell]
    layers = [k.Input((LONGEST,), dtype="int32"), k.layers.Embedding(WORDS + 2, SIZE), cell(SIZE)]
    model = k.Sequential([*layers, k.layers.Dense(1, activation="sigmoid")])
    model.compile(optimizer="adam", loss="binary_crossentropy")
    draw = np.random.default_rng(1)

    def step() -> None:
        rows = draw.integers(len(ids), size=BATCH)
        model.train_on_batch(ids[rows], classes[rows].astype(np.float32))

    return step


if __name__ == "__main__":
    main()

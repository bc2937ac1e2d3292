"""Seconds for one epoch (500 steps of 128 windows) of the Jena job: ours, ours without the compiled engine, and Keras.

    python -m bench.jena_epoch [--data FILE] [--epochs 3]

GRU(32) with input and recurrent dropout .2 on lookback 720 every 6, RMSprop, MAE; the same batches for everyone,
gathered by us inside the measured time. Each runs in a process of its own, one after the other and around again; the
first epoch of each, which compiles, is left out. Keras trains by `train_on_batch`, which spares it its data adapters.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import Any

from bench.in_turn import in_turn, ratio_table

__all__ = ["main"]

STEPS = 500
RUNS = {
    "seqloom": {},
    "seqloom without its compiled engine": {"SEQLOOM_NATIVE": "0"},
    "keras jax": {"KERAS_BACKEND": "jax"},
    "keras tensorflow": {"KERAS_BACKEND": "tensorflow"},
}


def main() -> None:
    """Start each run in turn and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    folder = Path(os.environ.get("SEQLOOM_DATA", "../shared/data"))
    parser.add_argument("--data", type=Path, default=folder / "jena" / "jena_climate_2020.csv.gz")
    parser.add_argument("--epochs", type=int, default=3, help="measured epochs of each run and round")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--run", choices=list(RUNS), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run is not None:
        _run(arguments)
        return
    given = ["--data", str(arguments.data), "--epochs", str(arguments.epochs)]
    said = in_turn("bench.jena_epoch", RUNS, given, rounds=arguments.rounds, threads=arguments.threads)
    seconds = {
        name: [float(line.split()[1]) for text in texts for line in text.splitlines() if line.startswith("epoch ")]
        for name, texts in said.items()
    }
    print(ratio_table("run", seconds, 2))


def _run(arguments: argparse.Namespace) -> None:
    import torch

    from seqloom import Forecaster
    from seqloom.data import read_panel
    from seqloom.tasks.forecast.batches import TrainingBatches

    torch.set_num_threads(arguments.threads)
    panel = read_panel(arguments.data, time="Date Time", missing=[-9999])
    forecaster = Forecaster(
        model="gru", lookback=720, every=6, horizon=144, at="last", split=(26000, 13000), calendar=True, batch_size=128
    )
    data = forecaster.prepare(panel, target="T (degC)", inputs="*")
    batches = TrainingBatches(data, "last", 128, seed=3)
    inputs = int(next(batches)[0].shape[2])
    step = _keras_step(inputs) if arguments.run.startswith("keras") else _own_step(inputs)
    for number in range(arguments.epochs + 1):
        began = time.perf_counter()
        for _ in range(STEPS):
            x, _, y = next(batches)
            step(x, y)
        if number:
            print("epoch", time.perf_counter() - began, flush=True)


def _own_step(inputs: int) -> Any:
    import torch

    from seqloom.tasks.forecast.network import NetworkSpec, build_network

    spec = NetworkSpec("gru", inputs, 120, 1, units=32, input_dropout=0.2, recurrent_dropout=0.2)
    network = build_network(spec, seed=1).train()
    optimizer = torch.optim.RMSprop(network.parameters())

    def step(x: Any, y: Any) -> None:
        optimizer.zero_grad(set_to_none=True)
        (network(x) - y).abs().mean().backward()
        optimizer.step()

    return step


def _keras_step(inputs: int) -> Any:
    import keras as k

    gru = k.layers.GRU(32, dropout=0.2, recurrent_dropout=0.2)
    model = k.Sequential([k.Input((120, inputs)), gru, k.layers.Dense(1)])
    model.compile(optimizer="rmsprop", loss="mae")
    return lambda x, y: model.train_on_batch(x.numpy(), y.numpy())


if __name__ == "__main__":
    main()

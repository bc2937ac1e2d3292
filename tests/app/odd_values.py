"""Every option of every command with values that can't be meant, made from the parser itself: a new option enrols."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import typer.main

from oracles.tones import recordings
from seqloom.app.commands import application

__all__ = ["BASE", "calls", "make_files"]

_SHORT = ("--epochs", "1", "--steps-per-epoch", "1", "--units", "4", "--threads", "1")
_TABLE = ("hourly.csv", "--target", "load (MW)", "--lookback", "12", "--horizon", "3", *_SHORT)

BASE: dict[str, tuple[str, ...]] = {
    "forecast": (*_TABLE, "--model", "linear,gru,tcn"),
    "backtest": (*_TABLE, "--model", "linear", "--windows", "2"),
    "anomalies": ("hourly.csv", "--columns", "load (MW)", "--window", "6", *_SHORT, "--model", "gru-vae"),
    "sequences": ("sequences.npz", *_SHORT, "--model", "gru"),
    "frames": ("films.npy", *_SHORT, "--lookback", "2", "--horizon", "1", "--reach", "1"),
    "caption": ("scenes.npz", *_SHORT, "--channels", "2,3", "--embedding-size", "3"),
    "classify": ("texts.csv", *_SHORT, "--model", "gru,flat,conv"),
    "tag": ("tags.txt", *_SHORT, "--model", "gru"),
    "transcribe": ("recordings.csv", *_SHORT, "--model", "conv-gru", "--channels", "3,3", "--mels", "8"),
    "translate": ("pairs.tsv", *_SHORT, "--model", "gru"),
    "lm": ("text.txt", *_SHORT, "--model", "gru,tcn"),
    "embed": ("text.txt", "--epochs", "1", "--embedding-size", "4", "--min-count", "1", "--threads", "1"),
    "generate": ("language",),
    "predict": ("trained",),
    "update": ("trained", "later.csv", "--out", "updated"),
    "export": ("trained", "--onnx", "model.onnx"),
    "serve": ("trained", "--check"),
    "inspect": ("trained",),
    "data": ("hourly.csv",),
    "zoo": ("sine",),
    "tune": ("forecast", *_TABLE, "--model", "gru", "--trials", "2", "--round", "2", "--workers", "1"),
    "reproduce": ("compare-cells", "--quick", "--epochs", "1", "--rows", "majority", "--threads", "1"),
}
"""A quick run of each command, in a folder with the files of `make_files`."""

VALUES = (
    "1000000000", "1000000000000", "9" * 400, "9" * 5000, "-1", "0", "-0.0", "0.5", "nan", "inf", "-inf", "1e400",
    "1e300", "1e-320", "9999999999999d", "9" * 20 + "y", "9" * 5000 + "h", "", " 7", "None", "\u0661\u0662", "\u00b2",
    "0x10", "\x1b[31m", "a\nb", "\x00", "\udcff", "x" * 3000, "," * 1000, "1," * 2000,
)  # fmt: skip
_NOT_NUMBERS = ("help", "json", "quiet", "out", "resume")


def calls() -> list[tuple[str, ...]]:
    """The arguments of each call: one option of one command at a time has an odd value."""
    parser: Any = typer.main.get_command(application())
    missing = set(parser.commands) ^ set(BASE)
    assert not missing, f"name a quick run of {missing}"
    found = []
    for command, base in BASE.items():
        if command == "tune":
            found += _of_a_search(parser, base)
            continue
        for parameter in parser.commands[command].params:
            if parameter.name in _NOT_NUMBERS or getattr(parameter, "is_flag", False):
                continue
            for value in VALUES:
                if parameter.param_type_name == "argument":
                    found.append((command, value, *base[1:]))
                else:
                    found.append((command, *_without(base, parameter.opts[0]), f"{parameter.opts[0]}={value}"))
    return found


def _of_a_search(parser: Any, base: tuple[str, ...]) -> list[tuple[str, ...]]:
    """The calls with an odd value for an option of the search itself; the others are those of the command searched."""
    others = {parameter.name for parameter in parser.commands[base[0]].params}
    own = [each for each in parser.commands["tune"].commands[base[0]].params if each.name not in others]
    return [
        ("tune", *_without(base, each.opts[0]), f"{each.opts[0]}={value}")
        for each in own
        if not getattr(each, "is_flag", False)
        for value in VALUES
    ]


def _without(base: tuple[str, ...], flag: str) -> tuple[str, ...]:
    """The arguments but a flag and its value."""
    if flag not in base:
        return base
    at = base.index(flag)
    return base[:at] + base[at + 2 :]


def make_files(folder: Path, hourly: str) -> None:
    """The data that the quick runs read; models are made by the caller."""
    rng = np.random.default_rng(7)
    words = np.array(["alpha", "beta", "gamma", "delta", "red", "blue", "green", "one", "two", "three"])
    (folder / "hourly.csv").write_text(hourly)
    header, *rows = hourly.splitlines()
    after = np.datetime64(rows[-1].split(",")[0]) + np.arange(1, 41).astype("timedelta64[h]")
    later = [f"{time},{row.split(',', 1)[1]}" for time, row in zip(np.datetime_as_string(after, unit="m"), rows)]
    (folder / "later.csv").write_text("\n".join([header, *later]) + "\n")
    lines = [f"{' '.join(rng.choice(words[3 * (n % 2) :][:6], 8))},{'ab'[n % 2]}" for n in range(60)]
    (folder / "texts.csv").write_text("\n".join(["text,label", *lines]) + "\n")
    sentences = [[f"{word} {'O' if len(word) > 3 else 'B-x'}" for word in rng.choice(words, 6)] for _ in range(30)]
    (folder / "tags.txt").write_text("\n\n".join("\n".join(sentence) for sentence in sentences) + "\n")
    pairs = [f"{line.split(',')[0]}\t{line.split(',')[0][::-1]}" for line in lines]
    (folder / "pairs.tsv").write_text("\n".join(["source\ttarget", *pairs]) + "\n")
    recordings(folder / "recordings.csv", 30)
    (folder / "text.txt").write_text("\n".join(" ".join(rng.choice(words, 9)) for _ in range(100)) + "\n")
    pictures = rng.integers(0, 99, (30, 6, 5)).astype(np.uint8)
    np.savez(folder / "scenes.npz", images=pictures, texts=np.array([f"a {p[0, 0] % 3}" for p in pictures]))
    np.save(folder / "films.npy", rng.random((12, 4, 6, 5)))
    x = rng.normal(size=(40, 8, 2)).astype(np.float32)
    np.savez(folder / "sequences.npz", X=x, y=(x[:, :, 0].mean(axis=1) > 0).astype(np.int64))

"""Small whole runs of each command in forked processes, their data, and what an undisturbed one leaves."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app.command_line import Outcome
from oracles.tones import recordings
from seqloom_runtime.extras import installed, need

from . import WrongResult

__all__ = ["JOBS", "Job", "Whole", "forked", "start"]

_TRAINED = ("--epochs", "2", "--units", "3", "--threads", "1", "--seed", "3", "--quiet")


@dataclass(frozen=True)
class Job:
    """A command by its arguments, its data file by a function of a path.

    words: how many of the arguments name the command. own: files in which two equal runs differ, beside run.json.
    moments: it is killed at moments alone, as its work is done by processes of its own: one of these that dies is begun
    again, and at the same operation it would die as often as it is begun.
    """

    name: str
    data: str
    write: Callable[[Path], None]
    arguments: tuple[str, ...]
    words: int = 1
    own: tuple[str, ...] = ()
    moments: bool = False

    def command(self, folder: str) -> list[str]:
        """What starts the run in `folder`, or goes on with it where it has begun."""
        if Path(folder, "run.json").is_file():
            return [*self.arguments[: self.words], "--resume", folder, "--quiet"]
        return [*self.arguments[: self.words], self.data, *self.arguments[self.words :], "--out", folder]


def _hourly(path: Path) -> None:
    draw = np.random.default_rng(5)
    hours = np.datetime64("2024-01-01T00:00") + 60 * np.arange(150)
    load = 50 + 10 * np.sin(2 * np.pi * np.arange(150) / 24) + draw.normal(0, 1, 150)
    path.write_text("time,load\n" + "".join(f"{t},{v:.3f}\n" for t, v in zip(hours, load)), "utf-8")


def _films(path: Path) -> None:
    films = np.random.default_rng(6).random((16, 1, 6, 5))
    np.save(path, np.concatenate([np.roll(films, t, axis=3) for t in range(5)], axis=1))


def _scenes(path: Path) -> None:
    draw = np.random.default_rng(7)
    pictures = draw.integers(0, 99, (30, 6, 5)).astype(np.uint8)
    np.savez(
        path,
        images=pictures,
        texts=np.array([f"{'bright' if p.mean() > 49 else 'dark'} {p[0, 0] // 25}" for p in pictures]),
    )


def _texts(path: Path) -> None:
    draw = random.Random(1)
    lines = []
    for number in range(60):
        label = ("good", "bad")[number % 2]
        words = draw.choices(
            ["fine", "well", "great", "x", "y"] if number % 2 == 0 else ["poor", "worse", "x", "y"], k=6
        )
        lines.append(f"{label}\t{' '.join(words)} {number}")
    path.write_text("\n".join(lines) + "\n", "utf-8")


def _sequences(path: Path) -> None:
    draw = np.random.default_rng(0)
    x = np.cumsum(draw.normal(0.05, 1, (60, 8, 1)), axis=1)
    np.savez(path, X=x, y=np.where(x[:, -1, 0] > 0, "up", "down"))


def _sentences(path: Path) -> None:
    draw = random.Random(2)
    blocks = []
    for _ in range(40):
        words = draw.choices(["from", "Rome", "to", "Oslo", "fly"], k=5)
        blocks.append("\n".join(f"{word}\t{'B-city' if word[0].isupper() else 'O'}" for word in words))
    path.write_text("\n\n".join(blocks) + "\n", "utf-8")


def _recordings(path: Path) -> None:
    recordings(path, 24)


def _prose(path: Path) -> None:
    draw = random.Random(3)
    lines = (" ".join(draw.choices("the cat dog sat ran on a mat".split(), k=7)) for _ in range(60))  # noqa: SIM905
    path.write_text("\n".join(lines) + "\n", "utf-8")


def _icu(path: Path) -> None:
    draw = np.random.default_rng(4)
    lines = ["id,t,a,b,ill"]
    for n in range(60):
        ill = n % 2
        for step in range(6):
            b = f"{draw.normal(ill):.2f}" if draw.random() < 0.4 else ""
            lines.append(f"p{n},{step + draw.random() / 2:.3f},{draw.normal(ill):.2f},{b},{ill}")
    path.write_text("\n".join(lines) + "\n", "utf-8")


def _pictures(path: Path) -> None:
    image, draw = need("PIL.Image", "this job"), np.random.default_rng(4)
    for label in ("dark", "light"):
        (path / label).mkdir(parents=True, exist_ok=True)
        for number in range(20):
            pixels = draw.integers(0, 200, (12, 12)) + 50 * (label == "light")
            image.fromarray(pixels.astype(np.uint8)).save(path / label / f"{number}.png")


JOBS = (
    Job("forecast", "load.csv", _hourly,
        ("forecast", "--target", "load", "--lookback", "6", "--horizon", "3", "--model", "linear,gru", *_TRAINED)),
    *([Job("tune", "load.csv", _hourly,
        ("tune", "forecast", "--target", "load", "--lookback", "6", "--horizon", "3", "--model", "gru", "--trials", "6",
            "--round", "3", "--workers", "2", "--space", "units=2:5,learning-rate=0.001:0.1:log", *_TRAINED), 2,
        ("search.db", "search.db-wal", "search.db-shm", "search.json"), True)] if installed("optuna") else []),
    Job("anomalies", "load.csv", _hourly,
        ("anomalies", "--window", "6", "--steps-per-epoch", "3", "--model", "gru-vae", *_TRAINED)),
    Job("classify", "texts.txt", _texts, ("classify", "--model", "majority,gru", *_TRAINED)),
    Job("sequences", "walks.npz", _sequences, ("sequences", "--model", "majority,lstm", *_TRAINED)),
    Job("records", "icu.csv", _icu,
        ("sequences", "--id", "id", "--time", "t", "--value-columns", "a,b", "--label", "ill", "--model", "gru-d",
            *_TRAINED)),
    Job("tag", "sentences.txt", _sentences, ("tag", "--model", "elman", *_TRAINED)),
    Job("caption", "scenes.npz", _scenes, ("caption", "--channels", "2,3", "--embedding-size", "3", *_TRAINED)),
    Job("frames", "films.npy", _films, ("frames", "--lookback", "2", "--horizon", "2", "--reach", "1", *_TRAINED)),
    Job("translate", "pairs.txt", _texts,
        ("translate", "--embedding-size", "3", "--max-length", "60", *_TRAINED)),
    *([Job("transcribe", "recordings.csv", _recordings,
        ("transcribe", "--channels", "3,3", "--mels", "8", *_TRAINED))] if installed("kaldi_native_fbank") else []),
    Job("lm", "prose.txt", _prose, ("lm", "--model", "rnn", *_TRAINED)),
    Job("embed", "prose.txt", _prose, ("embed", "--epochs", "2", "--embedding-size", "4", "--min-count", "1",
        "--model", "glove", "--threads", "1", "--seed", "3", "--quiet")),
    *([Job("pictures", "shapes", _pictures, ("sequences", "--model", "lenet", "--flip", *_TRAINED))]
      if installed("PIL") else []),
)  # fmt: skip


class Whole:
    """A job in the working folder: its data, the files of an undisturbed run, its seconds and its file operations."""

    def __init__(self, job: Job, drawn: bool, count: Callable[[], None] | None = None) -> None:
        self.job, self.drawn = job, drawn
        job.write(Path(job.data))
        began = time.monotonic()
        outcome = forked(job.command("whole"), drawn, count)
        self.seconds = time.monotonic() - began
        if outcome.code:
            raise WrongResult(f"an undisturbed run of {job.name} failed: {outcome.err[-2_000:]}")
        self.files = _files_of(Path("whole"), job.own)

    def compare(self, folder: str) -> None:
        """Raise WrongResult where a run that was resumed left other bytes than the undisturbed one, or other files."""
        found = _files_of(Path(folder), self.job.own)
        odd = sorted(name for name in {*found, *self.files} if found.get(name) != self.files.get(name))
        if odd:
            said = ", ".join(f"{name} ({_differs(found.get(name), self.files.get(name))})" for name in odd[:8])
            raise WrongResult(f"{self.job.name}: the resumed run differs in {said}")
        left = [path.name for path in Path(folder).rglob(".*")]
        if left:
            raise WrongResult(f"{self.job.name}: the resumed run left {left}")


def _files_of(folder: Path, own: Sequence[str] = ()) -> dict[str, bytes]:
    """Every file of a run but run.json and those in which equal runs differ as well."""
    paths = (path for path in folder.rglob("*") if path.is_file() and path.name not in ("run.json", *own))
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def _differs(found: bytes | None, whole: bytes | None) -> str:
    if found is None or whole is None:
        return "missing" if found is None else "left over"
    return f"{len(found):,} bytes, {len(whole):,} expected"


def start(arguments: Sequence[str], drawn: bool, prepare: Callable[[], None] | None = None) -> int:
    """Run `seqloom ARGUMENTS…` in a fork of this process: its number. What it prints goes to `out.txt`, `err.txt`.

    Without `drawn` the report is left out, which takes most of the time. `prepare` is called first, in the fork.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        for name, number in (("out.txt", 1), ("err.txt", 2)):
            os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        sys.stdout, sys.stderr = (os.fdopen(number, "w", encoding="utf-8") for number in (1, 2))
        os.fsync = lambda descriptor: None  # a killed process loses nothing that it wrote; only a power cut does
        if not drawn:
            import seqloom.report

            seqloom.report.build = lambda run_dir: Path(run_dir)
        sys.argv = ["seqloom", *arguments]
        from seqloom.app.main import run

        if prepare is not None:
            prepare()
        run()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1
    except BaseException:  # noqa: BLE001 - polars' panics are no Exception, and this process ends here
        import traceback

        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)


def forked(
    arguments: Sequence[str], drawn: bool, prepare: Callable[[], None] | None = None, seconds: float = 60
) -> Outcome:
    """`start`, to the end; raises WrongResult after so many seconds. The code of a killed process is −SIGNAL."""
    child = start(arguments, drawn, prepare)
    end = time.monotonic() + seconds
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        if time.monotonic() > end:
            os.kill(child, signal.SIGABRT)
            os.waitpid(child, 0)
            raise WrongResult(
                f"seqloom {' '.join(arguments)} hung: {Path('err.txt').read_text('utf-8', 'replace')[-3_000:]}"
            )
        time.sleep(0.003)
    code = os.waitstatus_to_exitcode(status)
    out, err = (Path(name).read_text("utf-8", "replace") for name in ("out.txt", "err.txt"))
    return Outcome(code, out, err)

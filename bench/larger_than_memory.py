"""A table larger than memory, from Parquet to forecasts: seconds and anonymous memory of each command, and step rates.

    python -m bench.larger_than_memory DIR                        # 200 million rows × 6 columns, 20,000 series by date
    python -m bench.larger_than_memory DIR --group 3GB            # each command in a control group of so much memory
    python -m bench.larger_than_memory DIR --rows 20000000 --steps table,cache,rate

Each step runs in a process of its own; what is done is kept in DIR/results.json and not done again, so that an
interrupted run goes on; what is done in a control group is told apart. Steps: `table` (made in parts, each from the
seed and its number), `cache` (made anew), `forecast` and `predict` (the commands, as a user gives them), `rate`
(training steps per second over the same rows, in memory and mapped, in turns), `mapped` (those of mapped rows alone,
where memory can't hold the table). Memory is RssAnon of /proc/PID/status, of the process and all below it, five times a
second; mapped pages don't count there.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import statistics
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.memory_of import control_group, watched
from seqloom.app.stored import bytes_of

__all__ = ["main", "make_table", "part", "rates", "table_of"]

COLUMNS = ("load", "temperature", "wind", "price", "sun", "rain")
FIRST_HOUR = np.datetime64("2020-01-01T00", "us")
PART = 1_000_000  # rows of a file
STEPS = ("table", "cache", "forecast", "predict")
MODEL: dict[str, Any] = {"model": "gru", "units": 32, "epochs": 1, "refit": False}
MODEL |= {"lookback": 48, "horizon": 12, "batch_size": 128, "seed": 1}
TIMED = 1500  # steps of a training whose rate is measured


def part(series: int, first: int, hours: int, seed: int) -> Any:
    """The rows of all series in hours first:first + hours, in order of time, as a frame of polars.

    >>> made = part(series=3, first=24, hours=2, seed=1)
    >>> made.columns[:3], made.height, made["id"].to_list()
    (['id', 'time', 'load'], 6, [0, 1, 2, 0, 1, 2])
    """
    import polars as pl

    own = np.random.default_rng(seed)
    level, swing, shift = own.uniform(20, 200, series), own.uniform(0.1, 0.5, series), own.uniform(0, 6.28, series)
    draw = np.random.default_rng([seed, first])
    hour = np.arange(first, first + hours)[:, None]
    day, year = np.sin(2 * np.pi * hour / 24 + shift), np.sin(2 * np.pi * hour / 8766 + shift)
    temperature = 10 + 5 * day + 10 * year + draw.normal(0, 1.5, (hours, series))
    sun = np.maximum(0, day) * (400 + 200 * year) * draw.random((hours, series))
    wind = draw.gamma(2.0, 2.0, (hours, series))
    noise = draw.normal(0, 0.03, (hours, series))
    load = level * (1 + swing * day + 0.1 * (hour // 24 % 7 < 5) - 0.005 * temperature + noise)
    price = 40 + 20 * day - 2 * wind + draw.normal(0, 5, (hours, series))
    rain = np.where(draw.random((hours, series)) < 0.1, draw.exponential(2.0, (hours, series)), 0)
    values = dict(zip(COLUMNS, (load, temperature, wind, price, sun, rain)))
    time = FIRST_HOUR + np.arange(first, first + hours) * np.timedelta64(1, "h")
    columns = {name: np.round(value, 2).ravel() for name, value in values.items()}
    return pl.DataFrame({"id": np.tile(np.arange(series), hours), "time": np.repeat(time, series), **columns})


def make_table(folder: Path, rows: int, length: int, seed: int) -> None:
    """The table in files of a stretch of time each; files that are there are left as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    series = rows // length
    hours = max(1, PART // series)
    for number, first in enumerate(range(0, length, hours)):
        path = folder / f"part-{number:05d}.parquet"
        if not path.exists():
            frame = part(series, first, min(hours, length - first), seed)
            frame.write_parquet(path.with_suffix(".tmp"), row_group_size=250_000)
            path.with_suffix(".tmp").rename(path)


class _Enough(Exception):
    """Ends a training whose steps are timed."""


class _Turns:
    """Trainings in threads that run one at a time, each for a second before it hands on."""

    def __init__(self, kinds: Sequence[str], steps: int) -> None:
        self._gates = {kind: threading.Semaphore(0) for kind in kinds}
        self._after = dict(zip(kinds, (*kinds[1:], kinds[0])))
        self._steps = steps
        self.rates: dict[str, list[float]] = {kind: [] for kind in kinds}
        self._last: tuple[float, int] | None = None

    def train(self, kind: str, data: Any) -> None:
        """Take the steps, in turns; the first turn isn't counted."""
        from seqloom.tasks import Forecaster
        from seqloom.training.events import StepDone

        def listen(event: Any) -> None:
            if not isinstance(event, StepDone):
                return
            now = time.monotonic()
            if self._last is None:
                self._last = (now, event.step)
            began, step = self._last
            if now - began >= 1:
                self.rates[kind].append((event.step - step) / (now - began))
                self._last = None
                self._gates[self._after[kind]].release()
                if event.step >= self._steps:
                    raise _Enough
                self._gates[kind].acquire()

        self._gates[kind].acquire()
        with contextlib.suppress(_Enough):
            Forecaster(**MODEL, steps_per_epoch=2 * self._steps).fit_prepared(data, on_event=listen)

    def run(self, data: dict[str, Any]) -> dict[str, list[float]]:
        """Steps per second in each turn after the first."""
        threads = [threading.Thread(target=self.train, args=each) for each in data.items()]
        for thread in threads:
            thread.start()
        self._gates[next(iter(data))].release()
        for thread in threads:
            thread.join()
        return {kind: found[1:] for kind, found in self.rates.items()}


def rates(cache: Path, memory: int, kinds: Sequence[str], steps: int = TIMED) -> dict[str, list[float]]:
    """Training steps per second over the rows of the panel, held in memory or mapped."""
    from seqloom.data import StoredPanel
    from seqloom.tasks import Forecaster
    from seqloom.tasks.forecast.stored_training import sampled

    stored = StoredPanel.open(cache)
    data = {}
    for kind in kinds:
        if kind == "memory":
            rows = stored.rows(0, len(stored))
            panel = replace(rows, values=np.array(rows.values), tick=np.array(rows.tick))
        else:
            panel = sampled(stored, memory, (0.7, 0.15))
        data[kind] = Forecaster(**MODEL).prepare(panel, target="load", inputs=list(COLUMNS))
    return _Turns(kinds, steps).run(data)


def _commands(folder: Path, memory: int, group: str) -> dict[str, list[str]]:
    """The command of each step; the group is in the names of what it makes."""
    table, cache, run = folder / "table", folder / "cache", folder / f"run{group}"
    ours = [sys.executable, "-m", "bench.larger_than_memory", str(folder), "--memory", str(memory), "--inside"]
    stored = [str(table), "--cache", str(cache), "--memory", str(memory)]
    options = "--time time --id id --target load --no-refit --lookback 48 --horizon 12 --model naive,gru --epochs 2"
    options += f" --steps-per-epoch 500 --inputs {','.join(COLUMNS)}"
    line = [sys.executable, "-m", "seqloom"]
    return {
        "table": [*ours, "table"],
        "cache": [*ours, "cache"],
        "forecast": [*line, "forecast", *stored, *options.split(), "--out", str(run)],
        "predict": [*line, "predict", str(run), *stored, "--out", str(folder / f"forecasts{group}")],
        "rate": [*ours, "rate"],
        "mapped": [*ours, "mapped"],
    }


def _inside(step: str, folder: Path, memory: int, rows: int, length: int) -> None:
    """Do a step that is no command of seqloom."""
    from seqloom.data import store_panel

    if step == "table":
        make_table(folder / "table", rows, length, seed=1)
    elif step == "cache":
        shutil.rmtree(folder / "cache", ignore_errors=True)
        store_panel(folder / "table", folder / "cache", memory=memory, id="id", time="time")
    else:
        kinds = ("memory", "mapped") if step == "rate" else ("mapped",)
        print(json.dumps(rates(folder / "cache", memory, kinds)))


def table_of(results: dict[str, dict[str, Any]]) -> str:
    """The results as lines of Markdown.

    >>> print(table_of({"cache": {"code": 0, "seconds": 61.2, "anonymous": 3 << 29, "printed": []}}))
    | step | seconds | anonymous memory at most, GB | steps per second |
    |---|---|---|---|
    | cache | 61 | 1.50 | |
    """
    lines = ["| step | seconds | anonymous memory at most, GB | steps per second |", "|---|---|---|---|"]
    for name, found in results.items():
        told = f"failed with {found['code']} " if found["code"] else ""
        for kind, rates in found.get("rates", {}).items():
            told += f"{kind} {statistics.median(rates):.1f} (of {len(rates)} turns) "
        lines.append(f"| {name} | {found['seconds']:.0f} | {found['anonymous'] / (1 << 30):.2f} | {told}|")
    return "\n".join(lines)


def main() -> None:
    """Do the steps that are not done, and print what all took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="DIR", help="where table, panel and results are kept")
    parser.add_argument("--rows", type=int, default=200_000_000)
    parser.add_argument("--length", type=int, default=10_000, help="rows of each series")
    parser.add_argument("--memory", default="2GB", help="what seqloom is told that it may use")
    parser.add_argument("--group", help="memory of a control group for the commands, such as 3GB")
    parser.add_argument("--steps", default=",".join(STEPS))
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    given = parser.parse_args()
    memory = bytes_of(given.memory)
    if given.inside:
        _inside(given.inside, given.folder, memory, given.rows, given.length)
        return
    given.folder.mkdir(parents=True, exist_ok=True)
    kept = given.folder / "results.json"
    results: dict[str, Any] = json.loads(kept.read_text()) if kept.exists() else {}
    commands = _commands(given.folder, memory, given.group or "")
    for step in given.steps.split(","):
        name = step if given.group is None else f"{step} in {given.group}"
        if name in results and not results[name]["code"]:
            continue
        sizes = ["--rows", str(given.rows), "--length", str(given.length)] if "--inside" in commands[step] else []
        with contextlib.nullcontext() if given.group is None else control_group(bytes_of(given.group)) as group:
            found = watched([*commands[step], *sizes], group)
        if not found["code"] and step in ("rate", "mapped"):
            found["rates"] = json.loads(found["printed"][-1])
        results[name] = found
        kept.write_text(json.dumps(results, indent=1))
        print(name, json.dumps(found, indent=1), flush=True)
    print(table_of(results))


if __name__ == "__main__":
    main()

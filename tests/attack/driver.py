"""Runs batches of cases in worker processes for as long as asked, and gathers counts and findings."""

from __future__ import annotations

import contextlib
import functools
import importlib
import itertools
import json
import os
import pkgutil
import random
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import seqloom

from .batch import Order, Watch, cases_of, child, describe, label_of, seconds_of
from .totals import Totals
from .verdict import Finding

__all__ = ["SHARES", "Attack", "Plan", "open_findings", "warm"]

SHARES = {
    "files": 0.27,
    "commands": 0.1,
    "models": 0.13,
    "tensors": 0.13,
    "kills": 0.2,
    "faults": 0.1,
    "serving": 0.07,
}
MODULES = {"models": "model_folders"}
_RESIDENT = 3 << 30  # bytes at which a batch is ended from outside
_BATCH = {"kills": 90.0, "faults": 90.0, "serving": 90.0}
_LOADED = ("pyarrow.parquet", "scipy.io", "sklearn.ensemble", "statsmodels.api", "altair", "vl_convert")


@dataclass(frozen=True)
class Plan:
    """What to run: seconds of wall clock, processes at a time, seed, targets with their shares of the time, folder."""

    seconds: float
    workers: int
    seed: int
    shares: Mapping[str, float]
    out: Path
    batch: float = 20.0
    most: int | None = None  # cases of a batch; each target then gets one batch, however long it takes

    def seed_of(self, target: str, number: int) -> int:
        """The seed of a batch."""
        return random.Random(f"{self.seed} {target} {number}").getrandbits(48)


@dataclass
class _Running:
    order: Order
    folder: Path
    watch: Watch
    pid: int
    limit: float
    began: float = field(default_factory=time.monotonic)


def warm(everything: bool = True) -> None:
    """Load what the cases need once: a batch is then forked in milliseconds, and all run the same code.

    Nothing here may start to compute, because threads don't outlive a fork.
    """
    ours = [found.name for found in pkgutil.walk_packages(seqloom.__path__, "seqloom.")]
    for name in ("torch._dynamo", "polars", *ours, *(_LOADED if everything else ())):
        if not name.endswith("__main__"):
            with contextlib.suppress(ImportError):
                importlib.import_module(name)


class Attack:
    """One run of the driver: `run` returns the number of findings."""

    def __init__(self, plan: Plan, show: Callable[[Attack], None] = lambda attack: None) -> None:
        self.plan, self._show = plan, show
        plan.out.mkdir(parents=True, exist_ok=True)
        self.totals = Totals(plan.out / "totals.json")
        self.findings: list[dict[str, Any]] = []
        self._used = dict.fromkeys(plan.shares, 0.0)
        self._number = 0
        self._running: list[_Running] = []
        self._temporary = Path(tempfile.mkdtemp(prefix="seqloom-attack-", dir=_fast_folder()))

    @property
    def now(self) -> list[str]:
        """What runs at the moment, a line each."""
        return [f"{work.order.target} seed {work.order.seed} case {work.watch.read()[0]}" for work in self._running]

    def run(self) -> int:
        """Run batches until the time is over; counts are saved after each."""
        self.totals.values["runs"] += 1
        began = time.monotonic()
        left = self.plan.seconds
        try:
            while self._running or self._more(left):
                while self._more(left) and len(self._running) < self.plan.workers:
                    self._start(left)
                time.sleep(0.02)
                left = self.plan.seconds - (time.monotonic() - began)
                for work in list(self._running):
                    self._look_at(work)
                self._show(self)
        finally:
            for work in self._running:
                _kill(work.pid)
            shutil.rmtree(self._temporary, ignore_errors=True)
            self.totals.values["seconds"] += time.monotonic() - began
            self.totals.save()
        return len(self.findings)

    def _more(self, left: float) -> bool:
        """Whether another batch is to be started."""
        return left > 0 and (self.plan.most is None or self._number < len(self.plan.shares))

    def _start(self, left: float) -> None:
        target = min(self._used, key=lambda name: self._used[name] / self.plan.shares[name])
        number, self._number = self._number, self._number + 1
        seed = self.plan.seed_of(target, number)
        seconds = min(left, _BATCH.get(target, self.plan.batch))
        self._used[target] += seconds
        order = Order(MODULES.get(target, target), seed, seconds, most=self.plan.most)
        folder = self._temporary / str(number)
        folder.mkdir()
        watch = Watch()
        pid = os.fork()
        if not pid:
            child(order, watch, folder)
        self._running.append(_Running(order, folder, watch, pid, seconds_of(order.target)))

    def _look_at(self, work: _Running) -> None:
        index, seconds = work.watch.read()
        done, status = os.waitpid(work.pid, os.WNOHANG)
        how = "" if done else _too_much(work, index, seconds)
        if not done and not how:
            return
        if how:
            _kill(work.pid)
        self._running.remove(work)
        name = next(name for name in self._used if MODULES.get(name, name) == work.order.target)
        self._used[name] += time.monotonic() - work.began - work.order.seconds
        result = work.folder / "result.json"
        if result.is_file():
            found = json.loads(result.read_text("ascii"))
            self.totals.add(name, found)
            for entry in found["findings"]:
                self._keep(entry, entry.pop("files", None))
        if how or status:
            self._dead(name, work, index, seconds, how or _ending(status))
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(work.pid, signal.SIGKILL)  # what it forked
        shutil.rmtree(work.folder, ignore_errors=True)
        self.totals.save()

    def _dead(self, name: str, work: _Running, index: int, seconds: float, how: str) -> None:
        """A case that hung, or took its process along."""
        description = "between two cases"
        if index >= 0:
            description = next(itertools.islice(cases_of(work.order.target, work.order.seed), index, None))[0]
        log = (work.folder / "log").read_text("utf-8", "replace") if (work.folder / "log").is_file() else ""
        log = log.partition("Extension modules:")[0][-4_000:]  # a list of hundreds that faulthandler adds
        self.totals.add_death(name, label_of(description), seconds)
        finding = Finding.make(
            how if how in ("hang", "memory") else "crash", f"{how}\n{log}", f"{how} {_first_of_ours(log)}"
        )
        self._keep(describe(work.order, index, description, finding), str(work.folder / "work"))

    def _keep(self, entry: dict[str, Any], files: str | None) -> None:
        """Save a finding with its files, the first three of each fault, and count it."""
        self.findings.append(entry)
        self.totals.values["found"] += 1
        same = sorted((self.plan.out / "findings").glob(f"*-{entry['fingerprint']}-*"))
        if len(same) >= 3:
            entry["replay"] = f"python -m tests.attack --replay {same[0]}"
            return
        place = self.plan.out / "findings" / f"{entry['target'].rsplit('.')[-1]}-{entry['fingerprint']}-{len(same)}"
        place.mkdir(parents=True, exist_ok=True)
        if files and os.path.isdir(files):
            shutil.copytree(files, place / "files", dirs_exist_ok=True, symlinks=True)
        entry["replay"] = f"python -m tests.attack --replay {place}"
        (place / "finding.json").write_text(json.dumps(entry, indent=1), "utf-8")


def open_findings(out: Path) -> list[Path]:
    """The folders of the findings that are kept in `out`."""
    return sorted(path.parent for path in (out / "findings").glob("*/finding.json"))


@functools.cache
def _fast_folder() -> str | None:
    shared = "/dev/shm"  # a file system in memory: cases are small and many
    return shared if os.access(shared, os.W_OK) and shutil.disk_usage(shared).free > 256 << 20 else None


def _too_much(work: _Running, index: int, seconds: float) -> str:
    """Whether a case takes too long or too much memory, as a word; empty where it does not."""
    if seconds > (work.limit if index >= 0 else 60 + work.limit):
        return "hang"
    with (
        contextlib.suppress(OSError, ValueError, IndexError),
        open(f"/proc/{work.pid}/statm", encoding="ascii") as file,
    ):
        if int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE") > _RESIDENT:
            return "memory"
    return ""


def _kill(pid: int) -> None:
    """End a process that hangs: first with a signal on which it says where it is."""
    for number, patience in ((signal.SIGABRT, 1.0), (signal.SIGKILL, 30.0)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        end = time.monotonic() + patience
        while time.monotonic() < end:
            try:
                if os.waitpid(pid, os.WNOHANG)[0]:
                    return
            except ChildProcessError:
                return
            time.sleep(0.01)


def _ending(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def _first_of_ours(log: str) -> str:
    """The innermost line of ours in what faulthandler wrote."""
    return next((line.strip() for line in log.splitlines() if "/seqloom/" in line and "File" in line), "")

"""A batch of cases in a process of its own: forked from the driver, watched through shared memory, free to die."""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import itertools
import json
import mmap
import os
import resource
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .verdict import Finding, judged

__all__ = ["MEMORY", "Order", "Watch", "cases_of", "run_batch", "seconds_of"]

MEMORY = 512 << 20  # bytes that the resident size may grow by in one case: most inputs are small
_TIMES = 20  # and so many for each byte of its files: JSON of short lists takes 14
_ADDRESSES = 16 << 30  # bytes of address space that a batch may map: allocators of the libraries reserve a lot
_FLUSH = 1.0


@dataclass(frozen=True)
class Order:
    """What a batch has to do: cases `first`, `first` + 1, … of a target's stream, for so many seconds or cases."""

    target: str
    seed: int
    seconds: float
    first: int = 0
    most: int | None = None


class Watch:
    """Shared memory in which a batch says which case it is at and since when."""

    def __init__(self) -> None:
        self._shared = memoryview(mmap.mmap(-1, 16)).cast("d")  # the case, and when it began
        self.note(-1)

    def note(self, index: int) -> None:
        """Say that case `index` begins now; −1 between cases."""
        self._shared[1] = time.monotonic()  # first, so that no case is ever older than it is
        self._shared[0] = index

    def read(self) -> tuple[int, float]:
        """The case and for how many seconds it has run."""
        index, since, now = self._shared[0], self._shared[1], time.monotonic()
        return int(index), now - since if index == self._shared[0] else 0.0


def cases_of(target: str, seed: int) -> Iterator[tuple[str, Callable[[], Any]]]:
    """The stream of a target, by the name of its module here or by the full name of another."""
    return _module(target).cases(seed)


def seconds_of(target: str) -> float:
    """How long one case may take."""
    return float(getattr(_module(target), "SECONDS", 10))


def _module(target: str) -> Any:
    return importlib.import_module(target if "." in target else f"{__package__}.{target}")


def run_batch(order: Order, watch: Watch, folder: Path) -> None:
    """Run the cases of `order` in `folder/work`; counts and findings go to `folder/result.json`, prints to `log`."""
    work = folder / "work"
    work.mkdir()
    log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    faulthandler.enable(os.fdopen(os.dup(log), "w"))
    _confine(getattr(_module(order.target), "ADDRESS_SPACE", _ADDRESSES))
    os.chdir(work)
    most = getattr(_module(order.target), "MEMORY", MEMORY)
    counts: dict[str, dict[str, int]] = {}
    found: dict[str, Any] = {"counts": counts, "findings": [], "longest": {}, "peak": 0}
    began = flushed = time.monotonic()
    stream = itertools.islice(enumerate(cases_of(order.target, order.seed)), order.first, None)
    for index, (description, action) in itertools.islice(stream, order.most):
        _empty(work)
        before, started = _resident_now(), time.monotonic()
        watch.note(index)
        verdict, number, finding = judged(action)
        watch.note(-1)
        now, after = time.monotonic(), _highest()
        label = label_of(description)
        if finding is None and after - before > most + _TIMES * _size_of(work):
            verdict, finding = "finding", Finding.make("memory", f"grew by {(after - before) >> 20} MiB", label)
        row = counts.setdefault(label, {})
        row[verdict] = row.get(verdict, 0) + number
        found["peak"] = max(found["peak"], after)
        if now - started > found["longest"].get(label, (0, ""))[0]:
            found["longest"][label] = (round(now - started, 3), description)
        if finding is not None:
            _keep(folder, work, found["findings"], order, index, description, finding)
        if now - flushed > _FLUSH or finding is not None:
            _write(folder / "result.json", found)
            flushed = time.monotonic()
        if now - began > order.seconds:
            break
    _write(folder / "result.json", found)


def _size_of(folder: Path) -> int:
    """Bytes of the files that a case has left; reading a large one may take so much more."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def label_of(description: str) -> str:
    """The name under which a case is counted."""
    label = description.partition(":")[0].strip()
    return label if 0 < len(label) <= 24 else "other"


def _confine(addresses: int | None) -> None:
    if addresses is not None:
        with open("/proc/self/statm", encoding="ascii") as file:
            mapped = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (mapped + addresses, mapped + addresses))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.environ.pop("SEQLOOM_DATA", None)  # a case brings what it reads
    os.environ.setdefault("SEQLOOM_READ_LIMIT", "16M")  # so that a file of kilobytes can reach the bound


def _resident_now() -> int:
    """The resident size in bytes; from now on the highest one is counted anew."""
    with contextlib.suppress(OSError), open("/proc/self/clear_refs", "wb") as file:
        file.write(b"5")
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def _highest() -> int:
    """The highest resident size in bytes since `_resident_now`."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def _empty(work: Path) -> None:
    os.chdir(work)
    for entry in os.scandir(work):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                os.unlink(entry.path)


def _keep(
    folder: Path, work: Path, findings: list[Any], order: Order, index: int, description: str, finding: Finding
) -> None:
    """Keep the finding; of the first of each fault the files that were in the folder as well."""
    entry = describe(order, index, description, finding)
    if not any(other["fingerprint"] == finding.fingerprint for other in findings):
        with contextlib.suppress(OSError, shutil.Error):
            entry["files"] = str(shutil.copytree(work, folder / f"finding{index}", symlinks=True))
    findings.append(entry)


def describe(order: Order, index: int, description: str, finding: Finding) -> dict[str, Any]:
    """A finding as JSON: what it was, and which case of which stream."""
    return {
        "target": order.target,
        "seed": order.seed,
        "index": index,
        "description": description[:500],
        "kind": finding.kind,
        "fingerprint": finding.fingerprint,
        "detail": finding.detail[-6_000:],
    }


def _write(path: Path, value: Any) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(value, ensure_ascii=True), encoding="ascii")
    os.replace(temporary, path)


def child(order: Order, watch: Watch, folder: Path) -> None:
    """What the forked process does, to its end; never returns."""
    code = 1
    try:
        os.setsid()
        run_batch(order, watch, folder)
        code = 0
    except BaseException:  # noqa: BLE001 - this process ends here, whatever it was
        import traceback

        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)

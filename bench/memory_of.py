"""The anonymous memory of a command while it runs, alone or in a control group of bounded memory."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["GROUPS", "anonymous", "control_group", "watched"]

GROUPS = Path("/sys/fs/cgroup")
_EVERY = 0.2  # seconds between two looks


def anonymous(pid: int) -> int:
    """Bytes of RssAnon of a process and all below it; 0 of one that has ended."""
    total, open_ = 0, [pid]
    while open_:
        one = Path(f"/proc/{open_.pop()}")
        try:
            lines = (one / "status").read_text().splitlines()
            below = [task.joinpath("children").read_text() for task in (one / "task").iterdir()]
        except OSError:  # it has ended between two looks
            continue
        total += sum(int(line.split()[1]) << 10 for line in lines if line.startswith("RssAnon:"))
        open_ += [int(child) for text in below for child in text.split()]
    return total


@contextmanager
def control_group(memory: int) -> Iterator[Path]:
    """A new control group whose processes may use so many bytes, pages of files counted; removed at the end.

    Raises OSError where none can be made: that takes root, and the controller of memory.
    """
    old = GROUPS / "memory"
    group = (old if old.is_dir() else GROUPS) / f"seqloom-bench-{os.getpid()}"
    group.mkdir()
    try:
        (group / ("memory.limit_in_bytes" if old.is_dir() else "memory.max")).write_text(str(memory))
        yield group
    finally:
        group.rmdir()


def watched(command: Sequence[str], group: Path | None = None) -> dict[str, Any]:
    """Run a command to its end: its exit code, seconds, highest anonymous memory, and the end of what it printed."""
    first = [] if group is None else ["sh", "-c", f'echo $$ > "{group}/cgroup.procs" && exec "$@"', "sh"]
    with tempfile.TemporaryFile("w+") as printed:
        began, peak = time.monotonic(), 0
        process = subprocess.Popen([*first, *command], stdout=printed, stderr=subprocess.STDOUT)
        while process.poll() is None:
            peak = max(peak, anonymous(process.pid))
            time.sleep(_EVERY)
        seconds = time.monotonic() - began
        printed.seek(0)
        tail = printed.read().splitlines()[-25:]
    return {"code": process.returncode, "seconds": round(seconds, 1), "anonymous": peak, "printed": tail}

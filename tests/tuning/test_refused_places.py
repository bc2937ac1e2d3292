"""Searches whose place refuses them in the middle: one sentence, and they go on to the same trials."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from searches import searched

from seqloom.engines import LocalEngine
from seqloom.errors import SettingError, TrainingError
from seqloom.tuning.storage import sqlite_url

pytest.importorskip("optuna")


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    try:
        subprocess.run(mount, check=True, capture_output=True, timeout=20)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this user may not mount a small file system")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True, timeout=20)


def fill(path: Path) -> None:
    """Write until nothing more fits."""
    with open(path, "wb", buffering=0) as full:
        os.posix_fallocate(full.fileno(), 0, shutil.disk_usage(path.parent).free)


def test_a_disk_that_is_full_during_a_trial_loses_no_trial(tmp_path: Path, small: Path) -> None:
    whole = searched(tmp_path / "whole")
    ended, found = [], None
    for _ in range(3):

        def told(event: Any) -> None:
            if type(event).__name__ == "TrialFinished" and not event.kept and not (small / "filler").exists():
                fill(small / "filler")

        try:
            found = searched(small / "run", LocalEngine(2), told)
        except (OSError, TrainingError) as error:
            ended.append(error)
        (small / "filler").unlink(missing_ok=True)
    for error in ended:
        if isinstance(error, OSError):
            assert error.errno == errno.ENOSPC
        else:
            assert "search.db can't be written (" in str(error)
            assert "what was found so far is kept there" in str(error)
    assert len(ended) >= 2
    assert (found or searched(small / "run")) == whole


def test_a_worker_whose_folder_is_full_ends_the_search_and_no_trial(tmp_path: Path, small: Path) -> None:
    """The storage lies elsewhere, so that the checkpoint is what can't be written."""
    storage = sqlite_url(tmp_path / "trials.db")
    whole = searched(tmp_path / "whole")

    def told(event: Any) -> None:
        if type(event).__name__ == "TrialsAsked":
            fill(small / "filler")

    with pytest.raises(OSError, match="No space left") as refused:
        searched(small / "run", LocalEngine(2), told, storage=storage)
    assert refused.value.errno == errno.ENOSPC
    assert "trial-" in str(refused.value.filename)
    (small / "filler").unlink()
    assert searched(small / "run", storage=storage) == whole


def test_a_storage_that_is_locked_in_the_middle_loses_nothing(tmp_path: Path) -> None:
    whole = searched(tmp_path / "whole")
    path = tmp_path / "shared.db"
    storage = f"{sqlite_url(path)}?timeout=0.05"
    holders = []

    def told(event: Any) -> None:
        if type(event).__name__ == "TrialFinished" and event.number == 3 and not holders:
            holders.append(sqlite3.connect(path, isolation_level=None))
            holders[0].execute("BEGIN EXCLUSIVE")

    with pytest.raises(SettingError, match=r"^storage: .*shared\.db.* is locked by another search; wait for it"):
        searched(tmp_path / "run", LocalEngine(2), told, storage=storage)
    holders[0].execute("ROLLBACK")
    holders[0].close()
    assert searched(tmp_path / "run", storage=storage) == whole
